//! Where findings go: through the guarded write or, in a dry run, nowhere. What differs between the two is decided
//! here (rule reconciler-15).

use std::{collections::HashMap, ops::Range, sync::Arc};

use database::{Client, DatabaseError, Fault, fault};
use store::{
    ArchiveLimit, Effect, Observation, Reconciliation, SyncChange, SyncWriter, WriteScope,
};
use tokio::sync::Mutex;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    diff::{self, Birthdays, Comparison},
    error::RunError,
    report::span,
    run::context::Run,
};

/// How often a batch is repeated after a deadlock.
const REPEATS: usize = 3;

/// What a run does with what it finds.
pub(crate) enum Writer {
    /// It is written.
    Live(LiveWriter),
    /// It is only compared with what is here.
    DryRun(SyncWriter),
}

/// Writes, for a run that has a row in `sync_logs`.
pub(crate) struct LiveWriter {
    run: Uuid,
    writer: SyncWriter,
    /// Held while something is written, until it is known what became of it.
    busy: Arc<Mutex<()>>,
}

/// What was done to the members of a batch; whom Postgres does not take is missing.
pub(crate) type Effects = HashMap<String, Effect>;

impl Writer {
    /// For the run with this row in `sync_logs`.
    pub(crate) fn live(run: Uuid, writer: SyncWriter, busy: Arc<Mutex<()>>) -> Self {
        Self::Live(LiveWriter { run, writer, busy })
    }

    /// Writes a batch that archives nobody and brings nobody back, or reckons what that would do.
    pub(super) async fn write(
        &mut self,
        run: &Run,
        batch: &[&Observation],
    ) -> Result<Effects, RunError> {
        if batch.is_empty() {
            return Ok(Effects::new());
        }
        match self {
            Self::Live(live) => Ok(live.write(run, batch, None).await?.unwrap_or_default()),
            Self::DryRun(writer) => Ok(writer
                .preview(batch)
                .await
                .map_err(DatabaseError::during("compare members with the core's"))?),
        }
    }

    /// Records what was changed or held. Archives are recorded where they are made.
    pub(super) async fn record(
        &self,
        client: &Client,
        changes: &[SyncChange<'_>],
    ) -> Result<(), DatabaseError> {
        let Self::Live(live) = self else { return Ok(()) };
        store::record_changes(client, Some(live.run), changes)
            .await
            .map_err(DatabaseError::during("record what the run changed"))
    }

    /// Remembers what the ids of these members decided.
    pub(super) async fn remember(
        &self,
        client: &Client,
        comparison: &Comparison,
        members: &[&str],
        birthdays: &Birthdays,
    ) -> Result<(), DatabaseError> {
        match self {
            Self::Live(_) => diff::remember(client, comparison, members, birthdays).await,
            Self::DryRun(_) => Ok(()),
        }
    }

    /// Forgets what was remembered of members that are not listed any more.
    pub(super) async fn forget(
        &self,
        client: &Client,
        comparison: &Comparison,
    ) -> Result<(), DatabaseError> {
        match self {
            Self::Live(_) => diff::forget(client, comparison).await,
            Self::DryRun(_) => Ok(()),
        }
    }
}

impl LiveWriter {
    /// Writes a batch, and archives within `archives`, where there is such a limit; none where that does not let
    /// the batch through.
    ///
    /// Where one row is at fault the batch is halved until that one is alone, and only it suffers; but if nothing
    /// can be written for a reason that may be everybody's, the session is to blame. Whoever interrupts the run
    /// waits until it is known what was written.
    pub(super) async fn write(
        &mut self,
        run: &Run,
        batch: &[&Observation],
        archives: Option<ArchiveLimit>,
    ) -> Result<Option<Effects>, RunError> {
        let scope = WriteScope {
            run: self.run,
            campus: run.campus.id,
            config_version: run.campus.config.synced_version,
            archives,
        };
        let _busy = Arc::clone(&self.busy).lock_owned().await;
        let mut effects = Effects::with_capacity(batch.len());
        let mut is_unclear = false;
        let mut parts = Vec::from([Range { start: 0, end: batch.len() }]);
        while let Some(part) = parts.pop() {
            match self.write_at_once(&batch[part.clone()], &scope).await? {
                Attempt::Done(done) => effects.extend(done),
                Attempt::LimitExceeded => return Ok(None),
                Attempt::Refused(_) if part.len() > 1 => {
                    let middle = part.start + part.len() / 2;
                    parts.extend([middle..part.end, part.start..middle]);
                }
                Attempt::Refused(fault) => is_unclear |= fault == Fault::Unclear,
            }
        }
        if is_unclear && effects.is_empty() {
            self.writer.give_up();
            return Err(RunError::Lost);
        }
        Ok(Some(effects))
    }

    /// Writes a batch in one transaction.
    async fn write_at_once(
        &mut self,
        batch: &[&Observation],
        scope: &WriteScope,
    ) -> Result<Attempt, RunError> {
        let mut last = Fault::Repeat;
        for _ in 0..REPEATS {
            let writing = self.writer.reconcile(batch, scope).instrument(span::apply(batch.len()));
            let error = match writing.await {
                Ok(Reconciliation::Done(effects)) => return Ok(Attempt::Done(effects)),
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
                    self.writer.give_up();
                    return Err(RunError::Lost);
                }
            }
        }
        Ok(Attempt::Refused(last))
    }
}

/// What became of a transaction.
enum Attempt {
    Done(Effects),
    LimitExceeded,
    /// A row is at fault, or locked.
    Refused(Fault),
}
