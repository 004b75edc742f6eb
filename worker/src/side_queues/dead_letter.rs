//! What a message from the dead queue says.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Datelike;
use event::{Envelope, History};
use queue::{DEAD, ReceivedHeaders, lapin::message::Delivery};
use retry::Cause;
use runtime::Trace;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::dead_letters::DeadLetter;
use uuid::Uuid;

/// Reads a message. One that no worker sent to the dead queue was sent by the broker: it was
/// delivered too often without an ack, most likely because it crashes whoever takes it.
pub(super) fn read(delivery: &Delivery) -> (DeadLetter, Trace) {
    let headers = ReceivedHeaders::read(&delivery.properties);
    let trace = queue::process(delivery, &headers, DEAD);
    let envelope = Envelope::decode(&delivery.data).ok();
    let (cause, reason) = match headers.dead_reason {
        Some(letter) => (letter.cause, letter.reason),
        None if envelope.is_some() => (
            Cause::Poison.as_str().to_owned(),
            "It was delivered too often without coming to an end: it may crash workers.".to_owned(),
        ),
        None => {
            (Cause::InvalidEvent.as_str().to_owned(), "The message could not be read.".to_owned())
        }
    };
    let body = envelope
        .as_ref()
        .and_then(|envelope| serde_json::to_value(envelope).ok())
        .unwrap_or_else(|| undecoded(&delivery.data));
    let letter = DeadLetter {
        id: envelope.as_ref().map_or_else(|| id_of(delivery), |envelope| envelope.delivery_id),
        envelope,
        body,
        // A cause that this version does not know would not be taken by the table.
        cause: if Cause::ALL.iter().any(|known| known.as_str() == cause) {
            cause
        } else {
            Cause::InvalidEvent.as_str().to_owned()
        },
        // No text in Postgres has a NUL.
        reason: reason.replace('\0', ""),
        history: storable(headers.history),
        trace_id: Some(trace.id().to_string()),
    };
    (letter, trace)
}

/// Takes the event out of a letter and keeps its bytes: something in it is not to be stored.
pub(super) fn undecode(letter: &mut DeadLetter) {
    if let Some(envelope) = letter.envelope.take() {
        letter.body = undecoded(&envelope.encode());
    }
}

/// The bytes; with its version, what a newer program wrote can be replayed: see `faithctl`.
fn undecoded(bytes: &[u8]) -> Value {
    let mut body = json!({"base64": BASE64_STANDARD.encode(bytes)});
    if let Some(version) = event::newer_version(bytes) {
        body["schema_version"] = json!(version);
    }
    body
}

/// Without a moment that Postgres cannot hold: a letter with one would be tried again for ever.
fn storable(mut history: History) -> History {
    history.first_failed_at = history.first_failed_at.filter(|at| (0..=9999).contains(&at.year()));
    history
}

/// The message's id, or one made from its bytes: the same message is the same letter.
fn id_of(delivery: &Delivery) -> Uuid {
    let id = delivery.properties.message_id().as_ref();
    id.and_then(|id| Uuid::try_parse(id.as_str()).ok()).unwrap_or_else(|| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::digest(&delivery.data)[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    })
}
