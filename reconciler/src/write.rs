//! A batch of findings, written through the guarded write or, in a dry run, only reckoned.

use database::{Fault, fault};
use store::{Effect, Mandate, Observation, Reconciliation, SyncWriter};

use tracing::Instrument;

use crate::{error::RunError, span};

/// How often a batch is repeated after a deadlock.
const REPEATS: usize = 3;

/// What became of a batch: an effect for each observation, none where Postgres does not take it.
#[derive(Debug)]
pub(crate) enum Written {
    Done(Vec<Option<Effect>>),
    /// The brake does not let its archives through: nothing was written.
    Braked,
}

/// Writes a batch. Where one row is at fault each is written alone, and only that one suffers.
pub(crate) async fn write(
    writer: &mut SyncWriter,
    batch: &[&Observation],
    mandate: &Mandate,
) -> Result<Written, RunError> {
    if let Some(written) = write_at_once(writer, batch, mandate).await? {
        return Ok(written);
    }
    let mut effects = Vec::with_capacity(batch.len());
    for observation in batch {
        match write_at_once(writer, &[observation], mandate).await? {
            Some(Written::Done(mut effect)) => effects.append(&mut effect),
            Some(Written::Braked) => return Ok(Written::Braked),
            None => effects.push(None),
        }
    }
    Ok(Written::Done(effects))
}

/// Writes a batch in one transaction; none where a row is at fault, or locked.
async fn write_at_once(
    writer: &mut SyncWriter,
    batch: &[&Observation],
    mandate: &Mandate,
) -> Result<Option<Written>, RunError> {
    for _ in 0..REPEATS {
        let error =
            match writer.reconcile(batch, mandate).instrument(span::apply(batch.len())).await {
                Ok(Reconciliation::Done(effects)) => {
                    return Ok(Some(Written::Done(effects.into_iter().map(Some).collect())));
                }
                Ok(Reconciliation::Braked) => return Ok(Some(Written::Braked)),
                Ok(Reconciliation::ConfigurationChanged) => {
                    return Err(RunError::ConfigurationChanged);
                }
                Err(error) => error,
            };
        tracing::warn!(%error, members = batch.len(), "a batch could not be written");
        match fault(&error) {
            Fault::Repeat => {}
            Fault::Row | Fault::Locked => return Ok(None),
            Fault::Session => {
                writer.give_up();
                return Err(RunError::Lost);
            }
        }
    }
    Ok(None)
}
