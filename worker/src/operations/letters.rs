//! Operations on dead letters. They are chosen anew, page by page by key, and each batch is counted in the transaction that
//! does it: a worker that dies has nothing in its memory that the next would need.

use std::{collections::VecDeque, time::Duration};

use database::{DatabaseError, answered};
use queue::Publisher;
use store::{
    OperationKind, OperationState,
    dead_letters::{self, LetterKey, LetterSelection},
    operations::{End, LeaseError, LetterEnds},
    records::OperationRecord,
};
use tokio::time::Instant;

use crate::operations::{
    batch::{Batch, Tally},
    execution::{Execution, Stopped},
    replay::Replay,
};

/// Keys read at once.
const PAGE: i64 = 2_000;
/// Letters that somebody else holds are waited for as long as a session of a program that was killed may last.
const PATIENCE: Duration = Duration::from_secs(35);

/// What is done with them.
enum Action<'a> {
    Replay(Replay<'a>),
    Discard { note: String },
    Restore,
}

/// Carries out an operation on letters.
pub(super) async fn carry_out(
    execution: &mut Execution<'_>,
    operation: &OperationRecord,
    publisher: &Publisher,
) -> Result<End, Stopped> {
    let selection =
        LetterSelection::of(operation).map_err(|error| Stopped::Failed(error.to_string()))?;
    let action = match operation.kind() {
        Some(OperationKind::Replay) => Action::Replay(Replay::new(publisher, operation)),
        Some(OperationKind::Discard) => {
            Action::Discard { note: operation.note.clone().unwrap_or_default() }
        }
        _ => Action::Restore,
    };
    let mut letters = Letters { execution, selection, action, tally: Tally::new(0, 0, 0, None) };
    letters.all(operation).await?;
    let skipped = Some(letters.tally.skipped());
    let outcome = letters.outcome(operation).await;
    Ok(End { skipped, outcome, ..End::of(OperationState::Done) })
}

/// The letters of an operation in hand.
struct Letters<'a, 'b> {
    execution: &'a mut Execution<'b>,
    selection: LetterSelection,
    action: Action<'a>,
    tally: Tally,
}

impl Letters<'_, '_> {
    async fn all(&mut self, operation: &OperationRecord) -> Result<(), Stopped> {
        loop {
            self.execution.turn().await?;
            match answered(self.count(operation)).await {
                Ok(tally) => break self.tally = tally,
                Err(error) => self.execution.failed(error)?,
            }
        }
        let mut last_done = Instant::now();
        // More than one pass where somebody else held letters when their turn came.
        loop {
            let before = self.tally.done;
            if self.pass().await? == 0 || self.tally.room() == 0 {
                return Ok(());
            }
            if self.tally.done > before {
                last_done = Instant::now();
            }
            if last_done.elapsed() > PATIENCE {
                return Ok(());
            }
            self.execution.wait_for("somebody else holds some letters at this moment");
        }
    }

    /// How many there are; what a worker before this one did is done, and counted.
    async fn count(&self, operation: &OperationRecord) -> Result<Tally, LeaseError> {
        let client = self.execution.pool.get().await?;
        let counted = self.selection.count(&client).await?;
        let all = counted.matched + operation.done;
        let matched = operation.matched.unwrap_or(all);
        let tally = Tally::new(matched, operation.done, counted.unreadable, operation.limit_n);
        if operation.matched.is_none() {
            self.execution.lease.begin(&client, tally.matched).await?;
        }
        Ok(tally)
    }

    /// Goes once through all that match now; answers how many of them stay that could be taken.
    async fn pass(&mut self) -> Result<usize, Stopped> {
        let (mut after, mut left) = (None, 0);
        let mut page: VecDeque<LetterKey> = VecDeque::new();
        loop {
            self.execution.turn().await?;
            // Also what was done by a batch whose commit was in doubt.
            self.tally.done = self.execution.done;
            if page.is_empty() {
                match answered(self.page(after)).await {
                    Ok(keys) if keys.is_empty() => return Ok(left),
                    Ok(keys) => {
                        after = keys.last().copied();
                        page.extend(
                            keys.into_iter().filter(|key| !self.tally.broken.contains(&key.id)),
                        );
                    }
                    Err(error) => self.execution.failed(error.into())?,
                }
                continue;
            }
            let number = self.execution.pace.batch().min(self.tally.room()).min(page.len());
            if number == 0 {
                return Ok(left);
            }
            let keys: Vec<LetterKey> = page.drain(..number).collect();
            match answered(self.batch(&keys)).await {
                Ok(batch) => {
                    let came_to = usize::try_from(batch.done).unwrap_or(0) + batch.broken.len();
                    left += number - came_to - batch.rest.len();
                    self.execution.pace.did(came_to);
                    self.tally.done += batch.done;
                    self.tally.broken.extend(batch.broken);
                    batch.rest.into_iter().rev().for_each(|key| page.push_front(key));
                    match batch.waits {
                        Some(error) if came_to == 0 => self.execution.broker_failed(error)?,
                        Some(error) => self.execution.wait_for(format!("{error}: waiting for it")),
                        None => self.execution.goes_on(),
                    }
                }
                Err(error) => {
                    keys.into_iter().rev().for_each(|key| page.push_front(key));
                    self.execution.failed(error)?;
                }
            }
        }
    }

    async fn page(&self, after: Option<LetterKey>) -> Result<Vec<LetterKey>, DatabaseError> {
        let client = self.execution.pool.get().await?;
        self.selection.page(&client, after, PAGE).await
    }

    async fn batch(&self, keys: &[LetterKey]) -> Result<Batch, LeaseError> {
        let mut client = self.execution.pool.get().await?;
        let lease = &self.execution.lease;
        let done = match &self.action {
            Action::Replay(replay) => {
                let unreadable = self.tally.unreadable_letters();
                return replay.batch(&mut client, &self.selection, keys, lease, unreadable).await;
            }
            Action::Discard { note } => {
                dead_letters::discard(&mut client, &self.selection, keys, note, lease).await?
            }
            Action::Restore => {
                dead_letters::restore(&mut client, &self.selection, keys, lease).await?
            }
        };
        Ok(Batch { done, ..Batch::default() })
    }

    /// What became of the letters until now; most of those that were replayed are on their way.
    async fn outcome(&self, operation: &OperationRecord) -> Option<serde_json::Value> {
        let client = self.execution.pool.get().await.ok()?;
        let ends = LetterEnds::of(&client, operation.id).await.ok()?;
        serde_json::to_value(ends).ok()
    }
}
