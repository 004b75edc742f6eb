//! The body of a webhook: which campus it claims to speak for, and, once that is proven, the few
//! fields that go further than this gateway.

use chrono::{DateTime, Utc};
use event::{EventType, is_event_id, is_event_type, is_member_id};

use crate::webhook::{
    fields::{Field, Fields},
    refusal::Refusal,
    signature::Verified,
    timestamp,
};

/// The campus that an unverified body names. Good for picking the secret and for nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

/// What of a signed body goes further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The sender's id of the event; none where it is absent or cannot be one.
    pub event_id: Option<String>,
    /// What happened.
    pub event_type: EventType,
    /// The core's id of the member; present in member events.
    pub member_id: Option<String>,
    /// When it happened, where the sender said so with a time zone.
    pub occurred_at: Option<DateTime<Utc>>,
}

impl Address {
    /// Reads `church_id`, or `campus_id` where that is no non-empty string.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let fields = read(body)?;
        fields
            .church_id
            .text_lossy()
            .or_else(|| fields.campus_id.text_lossy())
            .map(|name| Self(name.into_owned()))
            .ok_or(Refusal::MissingCampus)
    }

    /// The name to look the campus up by.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Payload {
    /// Decodes what was signed.
    pub fn decode(body: Verified<'_>, received_at: DateTime<Utc>) -> Result<Self, Refusal> {
        let fields = read(body.bytes())?;
        let event_type: EventType = fields
            .event_type
            .text()
            .filter(|text| is_event_type(text))
            .ok_or(Refusal::MissingEventType)?
            .into_owned()
            .into();
        let member_id = fields.member_id.text().filter(|text| is_member_id(text));
        if event_type.is_member() && member_id.is_none() {
            return Err(Refusal::MissingMember);
        }
        let event_id = fields.event_id.text().filter(|text| is_event_id(text));
        let occurred_at =
            fields.timestamp.text().and_then(|text| timestamp::occurred_at(&text, received_at));
        Ok(Self {
            event_id: event_id.map(Into::into),
            event_type,
            member_id: member_id.map(Into::into),
            occurred_at,
        })
    }
}

/// What a body says of itself, proven or not: for the audit of refusals and for nothing else.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Where it could be one.
    pub(crate) event_id: Option<String>,
    /// Where it could be one.
    pub(crate) event_type: Option<String>,
    /// Where it could be one.
    pub(crate) member_id: Option<String>,
}

impl Claims {
    pub(crate) fn read(body: &[u8]) -> Self {
        let Some(fields) = Fields::read(body) else { return Self::default() };
        let text = |field: Field<'_>, is_one: fn(&str) -> bool| {
            field.text().filter(|text| is_one(text)).map(Into::into)
        };
        Self {
            event_id: text(fields.event_id, is_event_id),
            event_type: text(fields.event_type, is_event_type),
            member_id: text(fields.member_id, is_member_id),
        }
    }
}

fn read(body: &[u8]) -> Result<Fields<'_>, Refusal> {
    Fields::read(body).ok_or(Refusal::InvalidJson)
}

#[cfg(test)]
mod tests {
    use campus::Secret;
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::webhook::signature::Signature;

    /// Signs and verifies: the only way to a `Payload`.
    fn decode(body: &[u8]) -> Result<Payload, Refusal> {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"s").unwrap();
        mac.update(body);
        let header = hex::encode(mac.finalize().into_bytes());
        let signature = Signature::from_header(Some(header.as_bytes())).unwrap();
        let secrets = [Secret::new("s")];
        let verified = signature.verify(body, &secrets).unwrap();
        Payload::decode(verified, "2026-11-23T12:00:00Z".parse().unwrap())
    }

    fn address(body: &str) -> Result<String, Refusal> {
        Address::read(body.as_bytes()).map(|address| address.name().to_owned())
    }

    #[test]
    fn the_church_wins_over_the_campus_where_it_is_a_non_empty_string() {
        for (body, expected) in [
            (r#"{"church_id":"a","campus_id":"b"}"#, Ok("a")),
            (r#"{"campus_id":"b","church_id":"a"}"#, Ok("a")),
            (r#"{"church_id":"","campus_id":"b"}"#, Ok("b")),
            (r#"{"church_id":null,"campus_id":"b"}"#, Ok("b")),
            (r#"{"church_id":7,"campus_id":"b"}"#, Ok("b")),
            (r#"{"church_id":["a"],"campus_id":"b"}"#, Ok("b")),
            (r#"{"church_id":{"id":"a"},"campus_id":"b"}"#, Ok("b")),
            (r#"{"campus_id":"b"}"#, Ok("b")),
            (r#"{"church_id":" "}"#, Ok(" ")),
            (r#"{"church_id":true,"campus_id":""}"#, Err(Refusal::MissingCampus)),
            ("{}", Err(Refusal::MissingCampus)),
            (r#"{"data":{"church_id":"a"}}"#, Err(Refusal::MissingCampus)),
            (r#"{"church":{"id":"a","church_id":"a"},"campus_id":"b"}"#, Ok("b")),
        ] {
            assert_eq!(address(body), expected.map(str::to_owned), "{body}");
        }
    }

    #[test]
    fn escapes_duplicates_and_order_change_nothing() {
        for (body, expected) in [
            (r#"{"\u0063hurch_id":"a"}"#, "a"),
            (r#"{"church\u005fid":"\u0061\u00e9\ud83d\ude00"}"#, "aé😀"),
            (r#"{"church_id":"a","church_id":"b"}"#, "b"),
            (r#"{"church_id":"a","\u0063hurch_id":"b"}"#, "b"),
            (r#"{"church_id":"a","church_id":5,"campus_id":"c"}"#, "c"),
            (" \r\n\t{ \"church_id\" : \"a\" } \n", "a"),
        ] {
            assert_eq!(address(body).unwrap(), expected, "{body}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        for body in [
            "",
            " ",
            "null",
            "[]",
            "5",
            "\"{}\"",
            "{",
            "{}}",
            "{} x",
            "{}{}",
            "\u{feff}{}",
            r#"{"church_id":"a",}"#,
            r#"{"church_id":'a'}"#,
            r#"{church_id:"a"}"#,
            r#"{"church_id":"a" "b":1}"#,
            r#"{"church_id":NaN}"#,
            r#"{"data":NaN,"church_id":NaN}"#,
            r#"{"data":[1,],"church_id":"a"}"#,
            r#"{"data":"\x","church_id":"a"}"#,
            r#"{"data":"\u12g4","church_id":"a"}"#,
            r#"{"data":01,"church_id":"a"}"#,
            "{\"data\":\"\n\",\"church_id\":\"a\"}",
            "{\"church_id\":\"a\0\"}",
        ] {
            assert_eq!(address(body), Err(Refusal::InvalidJson), "{body:?}");
        }
        for body in [
            &b"{\"church_id\":\"a\",\"data\":\"\xff\"}"[..],
            b"{\"church_id\":\"a\",\"\xc3\":1}",
            b"\xff\xfe{\0}\0",
        ] {
            assert_eq!(Address::read(body), Err(Refusal::InvalidJson));
        }
    }

    #[test]
    fn a_lone_surrogate_is_json_but_no_text_of_ours() {
        assert_eq!(address(r#"{"data":"\ud800","\udfff":1,"church_id":"a"}"#).unwrap(), "a");
        // A name that nobody can have, but a non-empty string: it is looked up and not found.
        assert_eq!(
            address(r#"{"church_id":"\ud800","campus_id":"b"}"#).unwrap(),
            "\u{fffd}".repeat(3)
        );
        let body = r#"{"event_type":"test","event_id":"\ud800","timestamp":"\udfff"}"#;
        let payload = decode(body.as_bytes()).unwrap();
        assert_eq!((payload.event_id, payload.occurred_at), (None, None));
        let body = r#"{"event_type":"member.updated","member_id":"\ud800"}"#;
        assert_eq!(decode(body.as_bytes()), Err(Refusal::MissingMember));
    }

    #[test]
    fn depth_is_no_matter_where_nothing_is_looked_at() {
        let deep = format!(
            r#"{{"data":{}{},"church_id":"a"}}"#,
            "[".repeat(1_000_000),
            "]".repeat(1_000_000)
        );
        assert_eq!(address(&deep).unwrap(), "a");
    }

    #[test]
    fn only_a_short_non_empty_string_is_a_type() {
        let long = "x".repeat(65);
        for value in [
            json!(null),
            json!(""),
            json!(5),
            json!(true),
            json!([]),
            json!({"a": 1}),
            json!(long),
            json!("李".repeat(22)),
        ] {
            let body = json!({"event_type": value, "member_id": "m"}).to_string();
            assert_eq!(decode(body.as_bytes()), Err(Refusal::MissingEventType), "{body}");
        }
        assert_eq!(decode(b"{}"), Err(Refusal::MissingEventType));
        let body = json!({"event_type": "x".repeat(64)}).to_string();
        assert_eq!(decode(body.as_bytes()).unwrap().event_type.as_str(), "x".repeat(64));
    }

    #[test]
    fn a_member_event_names_a_member() {
        for value in [json!(null), json!(""), json!(5), json!("."), json!(".."), json!("a\n")] {
            for kind in ["member.created", "member.updated", "member.deleted"] {
                let body = json!({"event_type": kind, "member_id": value}).to_string();
                assert_eq!(decode(body.as_bytes()), Err(Refusal::MissingMember), "{body}");
            }
            let body = json!({"event_type": "member.merged", "member_id": value}).to_string();
            assert_eq!(decode(body.as_bytes()).unwrap().member_id, None, "{body}");
        }
    }

    #[test]
    fn an_event_id_or_timestamp_that_is_none_counts_as_absent() {
        for value in [json!(null), json!(5), json!(""), json!("a\u{0}"), json!("x".repeat(129))] {
            let body = json!({"event_type": "ping", "event_id": value, "timestamp": value});
            let payload = decode(body.to_string().as_bytes()).unwrap();
            assert_eq!((payload.event_id, payload.occurred_at), (None, None), "{body}");
        }
        let body = json!({
            "event_type": "ping", "event_id": "x".repeat(128),
            "timestamp": "2025-11-20T01:40:00Z",
        });
        let payload = decode(body.to_string().as_bytes()).unwrap();
        assert_eq!(payload.event_id.unwrap(), "x".repeat(128));
        assert_eq!(payload.occurred_at.unwrap().to_rfc3339(), "2025-11-20T01:40:00+00:00");
    }

    /// Any JSON value, not too deep for the model that we compare with.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,6}".prop_map(Value::from),
            prop_oneof![Just("member.updated"), Just("test"), Just("2025-11-20T01:40:00Z")]
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((key(), inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => prop_oneof![
                Just("church_id"), Just("campus_id"), Just("event_id"), Just("event_type"),
                Just("member_id"), Just("timestamp"), Just("data"),
            ].prop_map(str::to_owned),
            1 => "\\PC{0,4}",
        ]
    }

    /// A string as JSON with every character escaped, or only those that must be.
    fn quoted(text: &str, escaped: bool) -> String {
        if !escaped {
            return Value::from(text).to_string();
        }
        let units: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{}\"", units.concat())
    }

    fn non_empty<'a>(model: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
        model.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            Address::read(&body).ok();
            decode(&body).ok();
        }

        #[test]
        fn no_text_panics(body in "[{}\\[\\]\",:a-z_\\\\u0-9 ]{0,80}") {
            let taken = Address::read(body.as_bytes());
            let object = serde_json::from_str::<Value>(&body).is_ok_and(|value| value.is_object());
            if object {
                prop_assert_ne!(taken, Err(Refusal::InvalidJson));
            }
            decode(body.as_bytes()).ok();
        }

        /// What we read is what a whole parse says, of duplicate keys the last.
        #[test]
        fn agrees_with_a_whole_parse(
            entries in proptest::collection::vec((key(), any::<bool>(), value()), 0..10)
        ) {
            let body = format!("{{{}}}", entries.iter()
                .map(|(key, escaped, value)| format!("{}:{value}", quoted(key, *escaped)))
                .collect::<Vec<_>>().join(","));
            let Value::Object(model) = serde_json::from_str(&body).unwrap() else { unreachable!() };

            let name = non_empty(&model, "church_id").or(non_empty(&model, "campus_id"));
            prop_assert_eq!(
                address(&body),
                name.map(str::to_owned).ok_or(Refusal::MissingCampus)
            );
            let decoded = decode(body.as_bytes());
            let Some(kind) = non_empty(&model, "event_type").filter(|kind| is_event_type(kind))
            else {
                prop_assert_eq!(decoded, Err(Refusal::MissingEventType));
                return Ok(());
            };
            let member = non_empty(&model, "member_id").filter(|id| is_member_id(id));
            let Ok(payload) = decoded else {
                prop_assert!(kind.starts_with("member.") && member.is_none());
                return Ok(());
            };
            prop_assert_eq!(payload.event_type.as_str(), kind);
            prop_assert_eq!(payload.member_id.as_deref(), member);
            let event = non_empty(&model, "event_id").filter(|id| is_event_id(id));
            prop_assert_eq!(payload.event_id.as_deref(), event);
            let timed = non_empty(&model, "timestamp").is_some_and(|text| text.contains("2025"));
            prop_assert_eq!(payload.occurred_at.is_some(), timed);
        }
    }
}
