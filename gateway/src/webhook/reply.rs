//! The answers: interface §2's table of what is accepted, and how any answer is put on the wire.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use event::{Envelope, EventType};
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use serde::Serialize;

use crate::webhook::refusal::Refusal;

/// A delivery that is in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// A person or a monitor tried the connection.
    Test {
        /// The time of receipt.
        received_at: DateTime<Utc>,
    },
    /// A member changed.
    Member {
        /// What is said of it.
        message: &'static str,
        /// Who.
        member_id: String,
        /// The event, by its sender's name or by the one we gave.
        event_id: String,
    },
    /// A type of event that is only logged.
    Unhandled {
        /// As the sender spelled it.
        event_type: String,
    },
}

/// The body of an answer to what was accepted, in the order of the texts in interface §2.
#[derive(Serialize)]
struct Body<'text> {
    success: bool,
    message: &'text str,
    #[serde(skip_serializing_if = "Option::is_none")]
    member_id: Option<&'text str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'text str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<&'text str>,
}

impl Accepted {
    /// What is said of an event that is queued now.
    pub(crate) fn new(envelope: Envelope) -> Self {
        let message = match envelope.event_type {
            EventType::Test | EventType::Ping => {
                return Self::Test { received_at: envelope.received_at };
            }
            EventType::Other(event_type) => return Self::Unhandled { event_type },
            EventType::MemberCreated => "Member creation accepted",
            EventType::MemberUpdated => "Member update accepted",
            EventType::MemberDeleted => "Member deletion accepted",
        };
        let member_id = envelope.member_id.unwrap_or_default();
        Self::Member { message, member_id, event_id: envelope.event_id }
    }

    /// The answer's status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Test { .. } => StatusCode::OK,
            Self::Member { .. } | Self::Unhandled { .. } => StatusCode::ACCEPTED,
        }
    }

    fn body(&self) -> Vec<u8> {
        let rest =
            Body { success: true, message: "", member_id: None, event_id: None, timestamp: None };
        match self {
            Self::Test { received_at } => encode(&Body {
                message: "Webhook test successful! \
                          FaithTracker is ready to receive member updates.",
                timestamp: Some(&received_at.to_rfc3339_opts(SecondsFormat::Micros, false)),
                ..rest
            }),
            Self::Member { message, member_id, event_id } => encode(&Body {
                message,
                member_id: Some(member_id),
                event_id: Some(event_id),
                ..rest
            }),
            Self::Unhandled { event_type } => encode(&Body {
                message: &format!("Webhook received but event type {event_type} not handled"),
                ..rest
            }),
        }
    }
}

fn encode(body: &Body<'_>) -> Vec<u8> {
    // Serialising strings into memory has no way to fail.
    serde_json::to_vec(body).unwrap_or_default()
}

/// The status that answers `outcome`.
pub(crate) fn status(outcome: &Result<Accepted, Refusal>) -> StatusCode {
    match outcome {
        Ok(accepted) => accepted.status(),
        Err(refusal) => refusal.status(),
    }
}

/// The answer to a webhook.
pub(crate) fn response(outcome: &Result<Accepted, Refusal>) -> Response<Full<Bytes>> {
    let body = match outcome {
        Ok(accepted) => Bytes::from(accepted.body()),
        Err(refusal) => Bytes::from_static(refusal.body().as_bytes()),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status(outcome);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Err(refusal) = outcome {
        if let Some(wait) = refusal.retry_after() {
            // Whole seconds, and never too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if *refusal == Refusal::MethodNotAllowed {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::webhook::refusal::Unavailable;

    #[test]
    fn the_texts_are_those_of_the_interface() {
        let at = "2025-11-20T01:40:03.519522Z".parse().unwrap();
        for (accepted, status, body) in [
            (
                Accepted::Test { received_at: at },
                200,
                r#"{"success":true,"message":"Webhook test successful! FaithTracker is ready to receive member updates.","timestamp":"2025-11-20T01:40:03.519522+00:00"}"#,
            ),
            (
                Accepted::Member {
                    message: "Member deletion accepted",
                    member_id: "m\"1".into(),
                    event_id: "e".into(),
                },
                202,
                r#"{"success":true,"message":"Member deletion accepted","member_id":"m\"1","event_id":"e"}"#,
            ),
            (
                Accepted::Unhandled { event_type: "a\"b\u{1}".into() },
                202,
                r#"{"success":true,"message":"Webhook received but event type a\"b\u0001 not handled"}"#,
            ),
        ] {
            assert_eq!(accepted.status().as_u16(), status);
            assert_eq!(String::from_utf8(accepted.body()).unwrap(), body);
        }
    }

    #[test]
    fn a_whole_second_has_its_microseconds_too() {
        let received_at = "2025-11-20T01:40:03Z".parse().unwrap();
        let body = String::from_utf8(Accepted::Test { received_at }.body()).unwrap();
        assert!(body.contains("2025-11-20T01:40:03.000000+00:00"), "{body}");
    }

    #[test]
    fn waiting_is_told_in_whole_seconds_rounded_up() {
        for (refusal, seconds) in [
            (Refusal::RateLimited { retry_after: Duration::from_millis(1) }, "1"),
            (Refusal::RateLimited { retry_after: Duration::from_secs(1) }, "1"),
            (Refusal::Unavailable(Unavailable::Memory), "5"),
        ] {
            assert_eq!(response(&Err(refusal)).headers()[RETRY_AFTER], seconds);
        }
    }
}
