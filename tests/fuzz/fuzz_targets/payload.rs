//! No body panics, and what is read of one is what a whole parse says, of duplicate keys the last.

#![no_main]

use campus::Secret;
use chrono::Utc;
use gateway::{Address, Payload, Refusal, Signature};
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let address = Address::read(body);
    let payload = decode(body);
    let Ok(Value::Object(model)) = serde_json::from_slice::<Value>(body) else { return };
    let text = |key: &str| model.get(key)?.as_str().filter(|text| !text.is_empty());

    let name = text("church_id").or_else(|| text("campus_id"));
    assert_eq!(address.as_ref().ok().map(Address::name), name);
    match payload {
        Ok(payload) => {
            assert_eq!(Some(payload.event_type.as_str()), text("event_type"));
            assert!(payload.member_id.is_none() || payload.member_id.as_deref() == text("member_id"));
            assert!(payload.event_id.is_none() || payload.event_id.as_deref() == text("event_id"));
        }
        Err(refusal) => {
            assert!(matches!(refusal, Refusal::MissingEventType | Refusal::MissingMember));
        }
    }
});

/// Signs and verifies: there is no other way to a payload.
fn decode(body: &[u8]) -> Result<Payload, Refusal> {
    let secrets = [Secret::new("secret")];
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"secret").expect("any key will do");
    mac.update(body);
    let header = hex::encode(mac.finalize().into_bytes());
    let signature = Signature::from_header(Some(header.as_bytes()))?;
    let verified = signature.verify(body, &secrets).expect("it is signed");
    Payload::decode(verified, Utc::now())
}
