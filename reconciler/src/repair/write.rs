//! A batch of findings, written through the guarded write or, in a dry run, only reckoned.

use std::{collections::HashMap, ops::Range, sync::Arc};

use database::{Fault, fault};
use store::{Effect, Observation, Reconciliation, SyncWriter, WriteScope};
use tracing::Instrument;

use crate::{error::RunError, report::span, run::reconcile::Run};

/// How often a batch is repeated after a deadlock.
const REPEATS: usize = 3;

/// What became of a batch.
#[derive(Debug)]
pub(crate) enum BatchResult {
    /// What was done, by member; a member whom Postgres does not take is missing.
    Done(HashMap<String, Effect>),
    /// The limit does not let its archives through: nothing was written.
    LimitExceeded,
}

/// Writes a batch. Where one row is at fault it is halved until that one is alone, and only it suffers;
/// but if nothing can be written for a reason that may be everybody's, the session is to blame. Whoever
/// interrupts the run waits until it is known what was written.
pub(crate) async fn write(
    run: &mut Run,
    batch: &[&Observation],
    scope: &WriteScope,
) -> Result<BatchResult, RunError> {
    let busy = Arc::clone(&run.busy);
    let _busy = busy.lock().await;
    let writer = &mut run.writer;
    let mut effects = HashMap::with_capacity(batch.len());
    let mut is_unclear = false;
    let mut parts = Vec::from([Range { start: 0, end: batch.len() }]);
    while let Some(part) = parts.pop() {
        match write_at_once(writer, &batch[part.clone()], scope).await? {
            Attempt::Done(done) => effects.extend(done),
            Attempt::LimitExceeded => return Ok(BatchResult::LimitExceeded),
            Attempt::Refused(_) if part.len() > 1 => {
                let middle = part.start + part.len() / 2;
                parts.extend([middle..part.end, part.start..middle]);
            }
            Attempt::Refused(fault) => is_unclear |= fault == Fault::Unclear,
        }
    }
    if is_unclear && effects.is_empty() {
        writer.give_up();
        return Err(RunError::Lost);
    }
    Ok(BatchResult::Done(effects))
}

/// What became of a transaction.
enum Attempt {
    Done(HashMap<String, Effect>),
    LimitExceeded,
    /// A row is at fault, or locked.
    Refused(Fault),
}

/// Writes a batch in one transaction.
async fn write_at_once(
    writer: &mut SyncWriter,
    batch: &[&Observation],
    scope: &WriteScope,
) -> Result<Attempt, RunError> {
    let mut last = Fault::Repeat;
    for _ in 0..REPEATS {
        let error = match writer.reconcile(batch, scope).instrument(span::apply(batch.len())).await
        {
            Ok(Reconciliation::Done(effects)) => {
                return Ok(Attempt::Done(effects));
            }
            Ok(Reconciliation::LimitExceeded) => return Ok(Attempt::LimitExceeded),
            Ok(Reconciliation::ConfigurationChanged) => {
                return Err(RunError::ConfigurationChanged);
            }
            Err(error) => error,
        };
        tracing::warn!(%error, members = batch.len(), "a batch could not be written");
        last = fault(&error);
        match last {
            Fault::Repeat => {}
            Fault::Row | Fault::Locked | Fault::Unclear => break,
            Fault::Session => {
                writer.give_up();
                return Err(RunError::Lost);
            }
        }
    }
    Ok(Attempt::Refused(last))
}
