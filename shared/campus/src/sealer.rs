//! Sealing at rest: XChaCha20-Poly1305 under `SECRETS_KEY`, bound to a campus and a purpose, so
//! that a value moved to another row or column does not open.

use base64::{Engine, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand::RngExt;
use runtime::{SettingError, Settings, Variable, variables};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Secret;

/// The first byte of what is sealed; another format would take another number.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;

/// What a sealed value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// What the church signs with.
    WebhookSecret,
    /// The password of FaithTracker's account in the core.
    CorePassword,
    /// The core's access token.
    CoreToken,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::WebhookSecret => "webhook-secret",
            Self::CorePassword => "core-password",
            Self::CoreToken => "core-token",
        }
    }
}

/// A sealed value, as it stands in Postgres: format, nonce, ciphertext.
pub type Sealed = Vec<u8>;

/// A sealed value could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Another key sealed it, it belongs to another campus or purpose, or it was damaged.
    #[error("a sealed value does not open: is SECRETS_KEY the key it was sealed with?")]
    WrongKey,
    /// It is not a sealed value of a known format.
    #[error("a sealed value has an unknown format")]
    Format,
    /// The cipher refused the plaintext; only one of more than 256 GiB is.
    #[error("a value could not be sealed")]
    Seal,
}

/// Seals with the current key; opens with it or the previous one.
#[derive(Clone)]
pub struct Sealer {
    current: XChaCha20Poly1305,
    previous: Option<XChaCha20Poly1305>,
}

impl Sealer {
    /// Reads `SECRETS_KEY` and `SECRETS_KEY_PREVIOUS`, each from the environment or a file.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let read = |variable: Variable, file: Variable| {
            let text = settings.value_or_file(variable, file)?;
            let from_file = settings.optional(variable).is_none();
            let named = if from_file { file } else { variable };
            text.map(|text| cipher(named, &text)).transpose()
        };
        let current =
            read(variables::SECRETS_KEY, variables::SECRETS_KEY_FILE)?.ok_or_else(|| {
                SettingError::new(variables::SECRETS_KEY, "is not set", variables::SECRETS_KEY.help)
            })?;
        let previous = read(variables::SECRETS_KEY_PREVIOUS, variables::SECRETS_KEY_PREVIOUS_FILE)?;
        Ok(Self { current, previous })
    }

    /// Seals `secret` for one campus and purpose.
    pub fn seal(
        &self,
        campus: Uuid,
        purpose: Purpose,
        secret: &Secret,
    ) -> Result<Sealed, SealError> {
        let nonce: [u8; NONCE_BYTES] = rand::rng().random();
        let associated = associated_data(campus, purpose);
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &associated };
        let ciphertext =
            self.current.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Seal)?;
        Ok([&[FORMAT], nonce.as_slice(), ciphertext.as_slice()].concat())
    }

    /// Opens what was sealed for the same campus and purpose.
    pub fn open(&self, campus: Uuid, purpose: Purpose, sealed: &[u8]) -> Result<Secret, SealError> {
        let current = decrypt(&self.current, campus, purpose, sealed);
        match (&current, &self.previous) {
            (Err(SealError::WrongKey), Some(previous)) => {
                decrypt(previous, campus, purpose, sealed)
            }
            _ => current,
        }
    }

    /// Whether the current key sealed it, so that the previous one is not needed for it any more.
    pub fn is_sealed_with_current(&self, campus: Uuid, purpose: Purpose, sealed: &[u8]) -> bool {
        decrypt(&self.current, campus, purpose, sealed).is_ok()
    }
}

fn decrypt(
    key: &XChaCha20Poly1305,
    campus: Uuid,
    purpose: Purpose,
    sealed: &[u8],
) -> Result<Secret, SealError> {
    let Some((&FORMAT, rest)) = sealed.split_first() else { return Err(SealError::Format) };
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Format)?;
    let payload = Payload { msg: ciphertext, aad: &associated_data(campus, purpose) };
    key.decrypt(&XNonce::from(*nonce), payload)
        .ok()
        .and_then(|plaintext| String::from_utf8(plaintext).ok())
        .map(Secret::new)
        .ok_or(SealError::WrongKey)
}

fn associated_data(campus: Uuid, purpose: Purpose) -> Vec<u8> {
    [campus.as_bytes().as_slice(), purpose.as_str().as_bytes()].concat()
}

fn cipher(variable: Variable, text: &str) -> Result<XChaCha20Poly1305, SettingError> {
    BASE64_STANDARD
        .decode(text.trim())
        .ok()
        .map(Zeroizing::new)
        .filter(|key| key.len() == KEY_BYTES)
        .and_then(|key| XChaCha20Poly1305::new_from_slice(&key).ok())
        .ok_or_else(|| {
            SettingError::new(
                variable,
                "is not a key",
                "32 bytes in base64, for example from `openssl rand -base64 32`",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn sealer(pairs: &[(&str, &str)]) -> Sealer {
        Sealer::from_settings(&Settings::from_pairs(pairs.iter().copied())).unwrap()
    }

    #[test]
    fn only_the_same_campus_and_purpose_open_it() {
        let key = sealer(&[("SECRETS_KEY", OLD)]);
        let (mine, other) = (Uuid::new_v4(), Uuid::new_v4());
        let secret = Secret::new("hunter2");
        let sealed = key.seal(mine, Purpose::CorePassword, &secret).unwrap();
        assert_eq!(key.open(mine, Purpose::CorePassword, &sealed), Ok(secret));
        let wrong = Err(SealError::WrongKey);
        assert_eq!(key.open(other, Purpose::CorePassword, &sealed), wrong);
        assert_eq!(key.open(mine, Purpose::CoreToken, &sealed), wrong);
        assert_eq!(key.open(mine, Purpose::CoreToken, b""), Err(SealError::Format));
    }

    #[test]
    fn the_previous_key_opens_while_keys_are_changed() {
        let campus = Uuid::new_v4();
        let sealed = sealer(&[("SECRETS_KEY", OLD)])
            .seal(campus, Purpose::WebhookSecret, &Secret::new("s"))
            .unwrap();
        let both = sealer(&[("SECRETS_KEY", NEW), ("SECRETS_KEY_PREVIOUS", OLD)]);
        assert!(both.open(campus, Purpose::WebhookSecret, &sealed).is_ok());
        let new = sealer(&[("SECRETS_KEY", NEW)]);
        assert!(new.open(campus, Purpose::WebhookSecret, &sealed).is_err());
    }

    #[test]
    fn a_key_of_another_length_is_a_bad_setting() {
        let settings = Settings::from_pairs([("SECRETS_KEY", "c2hvcnQ=")]);
        assert!(Sealer::from_settings(&settings).is_err());
    }
}
