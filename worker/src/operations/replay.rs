//! Dead letters on their way again.

use base64::{Engine, prelude::BASE64_STANDARD};
use database::Client;
use event::{DecodeError, Envelope, History};
use futures_util::future::join_all;
use queue::{Message, Publisher, Route};
use runtime::{TRACES, Trace, TraceContext};
use serde_json::Value;
use store::{
    dead_letters::{LetterKey, LetterSelection, Replayable},
    operations::{Lease, LeaseError, Progress},
    records::OperationRecord,
};
use tracing::Span;
use uuid::Uuid;

use crate::operations::batch::Batch;

/// Replays the letters of an operation.
pub(super) struct Replay<'a> {
    publisher: &'a Publisher,
    /// The span of the whole run.
    run: Span,
}

impl<'a> Replay<'a> {
    pub(super) fn new(publisher: &'a Publisher, operation: &OperationRecord) -> Self {
        let run = tracing::info_span!(
            target: TRACES,
            parent: None,
            "replay dead letters",
            faithtracker.operation.id = %operation.id,
            faithtracker.letters = operation.matched,
        );
        Self { publisher, run }
    }

    /// One transaction: lock, publish, mark and count what was confirmed (rule store-14).
    pub(super) async fn batch(
        &self,
        client: &mut Client,
        selection: &LetterSelection,
        keys: &[LetterKey],
        lease: &Lease,
        unreadable: i64,
    ) -> Result<Batch, LeaseError> {
        let claimed = selection.lock(client, keys).await?;
        let mut batch = Batch::default();
        let mut readable: Vec<(Uuid, Message)> = Vec::with_capacity(claimed.letters.len());
        for letter in &claimed.letters {
            match message(letter, &self.run) {
                Some(message) => readable.push((letter.id, message)),
                None => batch.broken.push(letter.id),
            }
        }
        let (letters, messages): (Vec<Uuid>, Vec<Message>) = readable.into_iter().unzip();
        let publishing = messages.into_iter().map(|message| self.publisher.publish(message));
        let results = join_all(publishing).await;
        let mut confirmed = Vec::with_capacity(letters.len());
        for (letter, result) in letters.into_iter().zip(results) {
            match result {
                Ok(()) => confirmed.push(letter),
                Err(error) => {
                    batch.rest.extend(keys.iter().filter(|key| key.id == letter));
                    batch.waits = Some(error);
                }
            }
        }
        batch.done = number(confirmed.len());
        let unreadable = unreadable + number(batch.broken.len());
        let progress = Progress { done: batch.done, unreadable, ..Progress::default() };
        claimed.commit(&confirmed, lease, &progress).await?;
        Ok(batch)
    }
}

fn number(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The event as it was received, with nothing tried yet: an outage's age starts anew. None
/// where the letter holds no event.
///
/// It goes on in the trace that it began in, where its row says it is; that and the replay's own
/// trace are linked, so that what becomes of it is found from both.
fn message(letter: &Replayable, run: &Span) -> Option<Message> {
    let bytes = original(&letter.envelope)?;
    let envelope = match Envelope::decode(&bytes) {
        Ok(envelope) => Some(envelope),
        // A worker that knows it may run; one that does not lets it wait.
        Err(DecodeError::Version(_)) => None,
        Err(_) => return None,
    };
    let history = History { replays: letter.replay_count.saturating_add(1), ..History::default() };
    let replay = Trace::of(tracing::info_span!(
        target: TRACES,
        parent: run.id(),
        "replay dead letter",
        faithtracker.event.id = envelope.as_ref().map(|envelope| envelope.event_id.as_str()),
        "faithtracker.event.type" = envelope.as_ref().map(|envelope| envelope.event_type.label()),
        faithtracker.campus.id =
            envelope.as_ref().map(|envelope| tracing::field::display(envelope.campus_id)),
        messaging.message.id = %letter.id,
        faithtracker.replay = i64::from(history.replays),
    ));
    let origin = letter.trace_id.as_deref().and_then(TraceContext::of_trace);
    let resumed = tracing::info_span!(target: TRACES, parent: None, "resume dead letter");
    let resumed = match origin {
        Some(origin) => Trace::continued(resumed, Some(origin)),
        None => Trace::of(resumed),
    };
    runtime::share(replay.span(), std::iter::once(resumed.span()), "replay");
    let context = resumed.context();
    let message = match envelope {
        Some(envelope) => Message::new(&envelope, Route::Work, context),
        None => Message::of_bytes(bytes, Some(&letter.id.to_string()), Route::Work, context),
    };
    Some(message.with_history(&history))
}

/// The message as it was: the envelope, or the bytes of one that a newer program wrote.
fn original(envelope: &Value) -> Option<Vec<u8>> {
    match envelope.get("base64").and_then(Value::as_str) {
        Some(bytes) => BASE64_STANDARD.decode(bytes).ok(),
        None => serde_json::to_vec(envelope).ok(),
    }
}
