//! Webhook bodies and their signature, byte for byte as FaithFlow makes them.
//!
//! Written from the seed's guide and the recorded bodies, and on purpose not with the product's own
//! code: the two check each other.

use std::borrow::Cow;

use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::document::{Document, to_ascii_json};

/// The lowercase hex HMAC-SHA256 of the bytes: what `X-Webhook-Signature` carries.
pub fn sign(secret: &str, bytes: &[u8]) -> String {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(bytes);
    hex::encode(mac.finalize().into_bytes())
}

/// The present moment as webhooks write it: microseconds, `+00:00`.
pub fn timestamp_now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// A webhook's body in the making; keys keep the order in which they are set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WebhookBody {
    fields: Document,
    data: Option<Document>,
    changes: Option<Document>,
}

impl WebhookBody {
    /// The four keys of the seed's guide: `event_type`, `church_id`, `member_id`, `timestamp`.
    pub fn new(event_type: &str, church_id: &str, member_id: &str) -> Self {
        Self::default()
            .with("event_type", event_type)
            .with("church_id", church_id)
            .with("member_id", member_id)
            .with("timestamp", timestamp_now())
    }

    /// FaithFlow's test webhook, as recorded.
    pub fn test(church_id: &str) -> Self {
        Self::default()
            .with("event_id", Uuid::new_v4().to_string())
            .with("event_type", "test")
            .with("church_id", church_id)
            .with("campus_id", church_id)
            .with("timestamp", timestamp_now())
            .with("message", "This is a test webhook from FaithFlow")
            .with("webhook_name", "FaithTracker")
    }

    /// FaithFlow's webhook about a member: `data` is what the core has of it, and `changes`, on
    /// updates, what was set.
    pub fn about_member(
        event_type: &str,
        church: (&str, &str),
        member_id: &str,
        data: Document,
        changes: Option<Document>,
    ) -> Self {
        let (church_id, church_name) = church;
        let fields = Self::default()
            .with("event_id", Uuid::new_v4().to_string())
            .with("event_type", event_type)
            .with("timestamp", timestamp_now())
            .with("church_id", church_id)
            .with("campus_id", church_id)
            .with("member_id", member_id)
            .with("church", json!({"id": church_id, "name": church_name}))
            .fields;
        Self { fields, data: Some(data), changes }
    }

    /// Sets a key, where it stands or at the end.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.fields.set(key, value);
        self
    }

    /// Takes a key out.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.fields.remove(key);
        self
    }

    /// Sets `data`, which stands behind the other keys.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Document>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// The value of a key that is a string.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.fields.text(key)
    }

    /// The bytes to sign and to send: compact JSON, everything but printable ASCII as `\uXXXX`.
    pub fn to_bytes(&self) -> Bytes {
        to_ascii_json(self).into()
    }
}

impl Serialize for WebhookBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.fields.iter() {
            map.serialize_entry(key, value)?;
        }
        if let Some(data) = &self.data {
            map.serialize_entry("data", data)?;
        }
        if let Some(changes) = &self.changes {
            map.serialize_entry("changes", changes)?;
        }
        map.end()
    }
}

/// `data` of a member that was just created: the database's own id is still in it.
pub(super) fn created_data(member: &Document) -> Document {
    let mut data = stored_form(member);
    let (high, low) = Uuid::new_v4().as_u64_pair();
    data.set("_id", format!("{:08x}{:016x}", high >> 32, low));
    data
}

/// `data` of a member that was changed.
pub(super) fn updated_data(member: &Document) -> Document {
    stored_form(member)
}

/// `data` of a member that was deleted.
pub(super) fn deleted_data(member: &Document) -> Document {
    let mut data = Document::new();
    for key in ["id", "full_name", "deleted_at"] {
        data.set(key, member.get(key).cloned().unwrap_or_default());
    }
    data
}

/// The database keeps zones as `+00:00`, which the API answers as `Z`.
fn stored_form(member: &Document) -> Document {
    let mut data = member.clone();
    for key in ["created_at", "updated_at"] {
        if let Some(moment) = data.text(key).and_then(|moment| moment.strip_suffix('Z')) {
            let moment = format!("{moment}+00:00");
            data.set(key, moment);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use std::fs;
    use std::path::PathBuf;

    use super::*;

    const SECRET: &str = "TFRuCW5KkeGC_YF_wrBLabcdefghijkl";

    fn samples() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../samples/faithflow")
    }

    fn recorded(number: u8) -> Vec<u8> {
        let prefix = format!("webhook-{number}-");
        let file = fs::read_dir(samples())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                name.starts_with(&prefix) && path.extension().is_some_and(|kind| kind == "body")
            })
            .expect("a recorded body");
        fs::read(file).unwrap()
    }

    fn member(file: &str) -> Document {
        #[derive(serde::Deserialize)]
        struct Sample {
            body: Document,
        }
        let text = fs::read_to_string(samples().join(file)).unwrap();
        serde_json::from_str::<Sample>(&text).unwrap().body
    }

    /// Takes over what differs from one webhook to the next by nature.
    fn alike(body: WebhookBody, recorded: &[u8]) -> WebhookBody {
        let recorded: Document = serde_json::from_slice(recorded).unwrap();
        let copy = |key: &str| recorded.get(key).cloned().unwrap();
        body.with("event_id", copy("event_id")).with("timestamp", copy("timestamp"))
    }

    #[test]
    fn recorded_signatures_verify() {
        let mut seen = 0;
        for entry in fs::read_dir(samples()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "body") {
                let headers = fs::read_to_string(path.with_extension("headers")).unwrap();
                let signature = headers
                    .lines()
                    .find_map(|line| line.strip_prefix("X-Webhook-Signature: "))
                    .unwrap();
                assert_eq!(sign(SECRET, &fs::read(&path).unwrap()), signature, "{path:?}");
                seen += 1;
            }
        }
        assert_eq!(seen, 6);
    }

    #[test]
    fn update_is_byte_for_byte_the_recorded_one() {
        for (number, file, changes) in [
            (3, "member.json", json!({"full_name": "Sumarni N", "occupation": "Guru"})),
            (4, "member-inactive.json", json!({"is_active": false})),
        ] {
            let (bytes, member) = (recorded(number), member(file));
            let mut changes = Document::from(changes);
            changes.set("updated_at", member.get("updated_at").cloned().unwrap());
            let body = WebhookBody::about_member(
                "member.updated",
                (member.text("church_id").unwrap(), "GKBJ"),
                member.text("id").unwrap(),
                updated_data(&member),
                Some(changes),
            );
            assert_eq!(alike(body, &bytes).to_bytes(), bytes, "webhook {number}");
        }
    }

    #[test]
    fn creation_has_the_recorded_keys_in_order() {
        let bytes = recorded(2);
        let recorded: Document = serde_json::from_slice(&bytes).unwrap();
        let data: Document =
            serde_json::from_value::<Value>(recorded.get("data").cloned().unwrap()).unwrap().into();
        // As the API answers it just after creation.
        let mut member = member("member-inactive.json");
        member.set("is_active", true);
        member.set("updated_at", "2026-11-23T16:10:21.665395Z");
        let mut created = created_data(&member);
        assert_eq!(created.text("_id").unwrap().len(), 24);
        created.set("_id", data.get("_id").cloned().unwrap());
        let body = WebhookBody::about_member(
            "member.created",
            (member.text("church_id").unwrap(), "GKBJ"),
            member.text("id").unwrap(),
            created,
            None,
        );
        assert_eq!(alike(body, &bytes).to_bytes(), bytes);
    }

    #[test]
    fn deletion_is_the_recorded_one() {
        let bytes = recorded(5);
        let mut member = member("member-soft-deleted.json");
        // The sender takes a second look at the clock.
        member.set("deleted_at", "2026-11-23T16:10:21.816743");
        let body = WebhookBody::about_member(
            "member.deleted",
            (member.text("church_id").unwrap(), "GKBJ"),
            member.text("id").unwrap(),
            deleted_data(&member),
            None,
        );
        assert_eq!(alike(body, &bytes).to_bytes(), bytes);
    }

    #[test]
    fn test_webhook_is_the_recorded_one() {
        let bytes = recorded(6);
        let body = WebhookBody::test("3880a17d-f858-4622-87c2-96eaa7b25c83");
        assert_eq!(alike(body, &bytes).to_bytes(), bytes);
    }
}
