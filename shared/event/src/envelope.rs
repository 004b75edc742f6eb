//! The message body: everything of a webhook that goes further than the gateway.

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{EventType, is_event_id, is_event_type, is_member_id};

/// The version this code writes. A reader refuses newer ones: they may mean something else.
pub const SCHEMA_VERSION: u32 = 1;

/// One accepted delivery of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// This delivery; a UUIDv7, so ids sort by time of receipt. The message's `message_id` too.
    pub delivery_id: Uuid,
    /// The event, as its sender names it; one event may be delivered many times.
    pub event_id: String,
    /// What happened.
    pub event_type: EventType,
    /// The FaithTracker campus that the verified signature belongs to.
    pub campus_id: Uuid,
    /// The core's id of the member; present in member events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// When it happened by the sender's clock, where it said so with a time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<DateTime<Utc>>,
    /// When the gateway received it, by the gateway's clock.
    pub received_at: DateTime<Utc>,
}

/// All that a reader may count on in an envelope of any version.
#[derive(Deserialize)]
struct Stamp {
    schema_version: u32,
}

/// The version of an envelope that is newer than this program knows, whatever else is in it.
pub fn newer_version(body: &[u8]) -> Option<u32> {
    let stamp: Stamp = serde_json::from_slice(body).ok()?;
    Some(stamp.schema_version).filter(|version| *version > SCHEMA_VERSION)
}

/// A message body that is no envelope.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or a field is missing or of another type.
    #[error("the message is not an event envelope")]
    Json(#[from] serde_json::Error),
    /// Written by a newer version of the gateway.
    #[error("the envelope has schema version {0}, newer than this program knows")]
    Version(u32),
    /// A member event that names no member.
    #[error("the envelope of a member event names no member")]
    NoMember,
    /// A value that no gateway lets in, and Postgres may not even be asked about.
    #[error("the envelope's {0} is none")]
    NotOne(&'static str),
}

impl Envelope {
    /// The message body.
    pub fn encode(&self) -> Vec<u8> {
        // Serialising plain strings and numbers into memory has no way to fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a message body. What it answers can be stored: one value that Postgres refuses, in a
    /// query about many events, would hold them all up.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut envelope: Self =
            serde_json::from_slice(body).map_err(|error| match newer_version(body) {
                Some(version) => DecodeError::Version(version),
                None => DecodeError::Json(error),
            })?;
        if envelope.schema_version > SCHEMA_VERSION {
            return Err(DecodeError::Version(envelope.schema_version));
        }
        if envelope.event_type.is_member() && envelope.member_id.is_none() {
            return Err(DecodeError::NoMember);
        }
        for (name, is_one) in [
            ("event_id", is_event_id(&envelope.event_id)),
            ("event_type", is_event_type(envelope.event_type.as_str())),
            ("member_id", envelope.member_id.as_deref().is_none_or(is_member_id)),
            ("received_at", is_storable(&envelope.received_at)),
        ] {
            if !is_one {
                return Err(DecodeError::NotOne(name));
            }
        }
        // A sender's clock only raises doubt: a mad one is none.
        envelope.occurred_at = envelope.occurred_at.filter(is_storable);
        Ok(envelope)
    }
}

/// Whether Postgres can hold the moment, which ends earlier than chrono does, on both sides.
pub(crate) fn is_storable(moment: &DateTime<Utc>) -> bool {
    (0..=9999).contains(&moment.year())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            schema_version: SCHEMA_VERSION,
            delivery_id: Uuid::now_v7(),
            event_id: "e-1".into(),
            event_type: EventType::MemberUpdated,
            campus_id: Uuid::now_v7(),
            member_id: Some("m-1".into()),
            occurred_at: None,
            received_at: Utc::now(),
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let envelope = envelope();
        assert_eq!(Envelope::decode(&envelope.encode()).unwrap(), envelope);
    }

    #[test]
    fn newer_and_incomplete_envelopes_are_refused() {
        let newer = Envelope { schema_version: SCHEMA_VERSION + 1, ..envelope() };
        assert!(matches!(Envelope::decode(&newer.encode()), Err(DecodeError::Version(2))));
        // A newer one may have other fields: it is not malformed.
        let other = br#"{"schema_version": 7, "delivery_id": 1, "events": []}"#;
        assert!(matches!(Envelope::decode(other), Err(DecodeError::Version(7))));
        assert_eq!(newer_version(other), Some(7));
        assert_eq!(newer_version(&envelope().encode()), None);
        let nobody = Envelope { member_id: None, ..envelope() };
        assert!(matches!(Envelope::decode(&nobody.encode()), Err(DecodeError::NoMember)));
        assert!(matches!(Envelope::decode(b"{}"), Err(DecodeError::Json(_))));
    }

    #[test]
    fn moments_of_four_digits_can_be_stored() {
        let year = |year: i32| {
            chrono::NaiveDate::from_ymd_opt(year, 12, 31)
                .unwrap()
                .and_time(chrono::NaiveTime::default())
                .and_utc()
        };
        assert!(is_storable(&year(0)) && is_storable(&year(9999)));
        assert!(!is_storable(&year(-1)) && !is_storable(&year(10_000)));
    }

    #[test]
    fn what_cannot_be_stored_is_not_decoded() {
        let bad = [
            Envelope { event_id: "a\0".into(), ..envelope() },
            Envelope { event_type: EventType::Other("a\0".into()), ..envelope() },
            Envelope { member_id: Some("a\0".into()), ..envelope() },
            Envelope { received_at: DateTime::<Utc>::MIN_UTC, ..envelope() },
        ];
        for bad in bad {
            assert!(matches!(Envelope::decode(&bad.encode()), Err(DecodeError::NotOne(_))));
        }
        let mad_clock = Envelope { occurred_at: Some(DateTime::<Utc>::MIN_UTC), ..envelope() };
        assert_eq!(Envelope::decode(&mad_clock.encode()).unwrap().occurred_at, None);
    }
}
