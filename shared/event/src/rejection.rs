//! The audit of a refused delivery: what a gateway tells about a webhook that it did not accept.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{DecodeError, SCHEMA_VERSION, is_event_id, is_event_type, is_member_id};

/// A delivery that was refused although its campus is known. Whoever sent it may not have had the
/// secret: what it says of itself is a claim, kept so that an operator can find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The envelope's version counts for this too.
    pub schema_version: u32,
    /// This delivery, as a UUIDv7.
    pub delivery_id: Uuid,
    /// The campus that it named.
    pub campus_id: Uuid,
    /// What it says it is, where that could be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// What it says happened, where that could be a type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Whom it says it is about, where that could be a member's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// Whether it was signed with the campus's secret, and refused for something else.
    pub signature_valid: bool,
    /// Why it was refused; a sentence of ours.
    pub reason: String,
    /// When, by the gateway's clock.
    pub received_at: DateTime<Utc>,
}

impl Rejection {
    /// The message body.
    pub fn encode(&self) -> Vec<u8> {
        // Serialising plain strings and numbers into memory has no way to fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a message body; what it answers can be stored.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut rejection: Self = serde_json::from_slice(body)?;
        if rejection.schema_version > SCHEMA_VERSION {
            return Err(DecodeError::Version(rejection.schema_version));
        }
        if !crate::envelope::is_storable(&rejection.received_at) {
            return Err(DecodeError::NotOne("received_at"));
        }
        rejection.event_id = rejection.event_id.filter(|text| is_event_id(text));
        rejection.event_type = rejection.event_type.filter(|text| is_event_type(text));
        rejection.member_id = rejection.member_id.filter(|text| is_member_id(text));
        rejection.reason.retain(|character| !character.is_control());
        Ok(rejection)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    fn rejection() -> Rejection {
        Rejection {
            schema_version: SCHEMA_VERSION,
            delivery_id: Uuid::now_v7(),
            campus_id: Uuid::now_v7(),
            event_id: Some("e-1".into()),
            event_type: None,
            member_id: Some("m-1".into()),
            signature_valid: false,
            reason: "Refused.".into(),
            received_at: Utc::now(),
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let rejection = rejection();
        assert_eq!(Rejection::decode(&rejection.encode()).unwrap(), rejection);
    }

    #[test]
    fn one_of_a_newer_version_is_not_guessed_at() {
        let newer = Rejection { schema_version: SCHEMA_VERSION + 1, ..rejection() };
        let read = Rejection::decode(&newer.encode());
        assert!(
            matches!(read, Err(DecodeError::Version(version)) if version == SCHEMA_VERSION + 1)
        );
    }

    #[test]
    fn what_cannot_be_stored_is_left_out() {
        let bad = Rejection { event_id: Some("a\0".into()), reason: "a\0b".into(), ..rejection() };
        let read = Rejection::decode(&bad.encode()).unwrap();
        assert_eq!((read.event_id, read.reason.as_str()), (None, "ab"));
    }
}
