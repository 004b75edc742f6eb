//! Members fetched anew: for each an event of ours goes into the work queue, as one that a gateway accepted would. So it
//! takes the one way that is proven: admission, filter, guarded write, photos, links, retries, fairness; and has a row in
//! the log, whose event id names the operation, which says who asked.

use std::{collections::VecDeque, time::Duration};

use chrono::Utc;
use database::{DatabaseError, answered};
use event::{Envelope, EventType, History, SCHEMA_VERSION};
use futures_util::future::join_all;
use queue::{Message, Publisher, Route};
use runtime::{TRACES, Trace};
use serde_json::to_value;
use sha2::{Digest, Sha256};
use store::{
    OperationState,
    operations::{End, LeaseError, MemberKey, MemberSelection, Progress},
    records::OperationRecord,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::operations::execution::{Execution, Stopped};

/// Keys read at once, however few are sent a second: to choose by past deliveries reads the log.
const PAGE: i64 = 5_000;
/// What was read longer ago is chosen anew: somebody may be erased, or a campus disabled.
const READ_AGAIN_AFTER: Duration = Duration::from_mins(5);

/// Carries out a resync.
pub(super) async fn carry_out(
    execution: &mut Execution<'_>,
    operation: &OperationRecord,
    publisher: &Publisher,
) -> Result<End, Stopped> {
    let selection =
        MemberSelection::of(operation).map_err(|error| Stopped::Failed(error.to_string()))?;
    let position = operation.outcome.as_ref().and_then(|outcome| outcome.get("position"));
    let after = position.and_then(|position| serde_json::from_value(position.clone()).ok());
    let mut members = Members {
        execution,
        selection,
        publisher,
        after,
        keys: VecDeque::new(),
        read_at: Instant::now(),
    };
    let mut matched = operation.matched;
    loop {
        members.execution.turn().await?;
        if matched.is_none() {
            match answered(members.count()).await {
                Ok(counted) => matched = Some(counted),
                Err(error) => members.execution.failed(error)?,
            }
            continue;
        }
        if members.keys.is_empty() || members.read_at.elapsed() > READ_AGAIN_AFTER {
            match answered(members.page()).await {
                Ok(page) if page.is_empty() => break,
                Ok(page) => (members.keys, members.read_at) = (page.into(), Instant::now()),
                Err(error) => members.execution.failed(error.into())?,
            }
            continue;
        }
        let number = members.execution.pace.batch().min(members.keys.len());
        let batch = members.keys.drain(..number).collect();
        members.publish(batch).await?;
    }
    let skipped = matched.map(|matched| (matched - members.execution.done).max(0));
    Ok(End { skipped, ..End::of(OperationState::Done) })
}

/// The members of an operation in hand.
struct Members<'a, 'b> {
    execution: &'a mut Execution<'b>,
    selection: MemberSelection,
    publisher: &'a Publisher,
    /// The last whose event was confirmed, with all before.
    after: Option<MemberKey>,
    /// The next, as they were read last.
    keys: VecDeque<MemberKey>,
    read_at: Instant,
}

impl Members<'_, '_> {
    async fn count(&self) -> Result<i64, LeaseError> {
        let client = self.execution.pool.get().await?;
        let counted = self.selection.count(&client).await?;
        self.execution.lease.begin(&client, counted).await?;
        Ok(counted)
    }

    async fn page(&self) -> Result<Vec<MemberKey>, DatabaseError> {
        let client = self.execution.pool.get().await?;
        self.selection.page(&client, self.after.as_ref(), PAGE).await
    }

    /// Publishes an event for each, again and again while the broker does not take all of them, and counts them. One
    /// that was sent and not counted is sent again under the same event id: a duplicate of what is done.
    async fn publish(&mut self, batch: Vec<MemberKey>) -> Result<(), Stopped> {
        let number = batch.len();
        let mut waiting: Vec<&MemberKey> = batch.iter().collect();
        loop {
            let messages = waiting.iter().map(|key| self.publisher.publish(self.message(key)));
            let results = join_all(messages).await;
            let mut failure = None;
            let rest = waiting.into_iter().zip(results).filter_map(|(key, result)| {
                result.err().map(|error| {
                    failure = Some(error);
                    key
                })
            });
            waiting = rest.collect();
            let Some(error) = failure else { break };
            self.execution.broker_failed(error)?;
            self.execution.turn().await?;
        }
        self.execution.goes_on();
        self.execution.pace.did(number);
        let before = self.execution.done;
        loop {
            match answered(self.advance(&batch, before)).await {
                Ok(()) => break,
                Err(error) => self.execution.failed(error)?,
            }
            self.execution.turn().await?;
            // The commit was in doubt, and done.
            if self.execution.done > before {
                break;
            }
        }
        self.execution.goes_on();
        self.after = batch.into_iter().next_back();
        Ok(())
    }

    async fn advance(&self, batch: &[MemberKey], before: i64) -> Result<(), LeaseError> {
        let failed = || DatabaseError::during("count the members that are fetched anew");
        let mut client = self.execution.pool.get().await?;
        let client: &mut database::Client = &mut client;
        let transaction = client.transaction().await.map_err(failed())?;
        let progress = Progress {
            done: i64::try_from(batch.len()).unwrap_or(i64::MAX),
            unreadable: 0,
            position: batch.last().and_then(|last| to_value(last).ok()),
            after: Some(before),
        };
        self.execution.lease.advance(&transaction, &progress).await?;
        Ok(transaction.commit().await.map_err(failed())?)
    }

    fn message(&self, key: &MemberKey) -> Message {
        let envelope = Envelope {
            schema_version: SCHEMA_VERSION,
            delivery_id: Uuid::now_v7(),
            event_id: event_id(self.execution.lease.operation, key),
            event_type: EventType::MemberUpdated,
            campus_id: key.campus_id,
            member_id: Some(key.member_id.clone()),
            occurred_at: None,
            received_at: Utc::now(),
        };
        let trace = Trace::of(tracing::info_span!(
            target: TRACES,
            parent: None,
            "resync member",
            faithtracker.event.id = envelope.event_id,
            faithtracker.campus.id = %envelope.campus_id,
            faithtracker.operation.id = %self.execution.lease.operation,
        ));
        Message::new(&envelope, Route::Work, trace.context()).with_history(&History::default())
    }
}

/// Names the operation; the same for a member each time.
fn event_id(operation: Uuid, key: &MemberKey) -> String {
    let digest = Sha256::new()
        .chain_update(key.campus_id.as_bytes())
        .chain_update(key.member_id.as_bytes())
        .finalize();
    let half: Vec<String> = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("resync-{operation}-{}", half.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_ours_names_its_operation_and_is_the_same_each_time() {
        let key = |member: &str| MemberKey { campus_id: Uuid::nil(), member_id: member.to_owned() };
        let operation = Uuid::now_v7();
        let id = event_id(operation, &key("m-1"));
        assert!(id.starts_with(&format!("resync-{operation}-")) && id.len() <= 128, "{id}");
        assert_eq!(id, event_id(operation, &key("m-1")));
        assert_ne!(id, event_id(operation, &key("m-2")));
    }
}
