//! Text that is never shown: not in logs, not in errors, not in `Debug`.

use std::fmt;

use rand::RngExt;
use zeroize::Zeroizing;

/// A password, token or key; wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps `text` from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

/// What a church signs its webhooks with.
#[derive(Debug, Clone, Copy)]
pub struct WebhookSecret;

impl WebhookSecret {
    /// Characters of a generated secret: 64^32 is 192 bits, more than the HMAC's security needs.
    pub const LENGTH: usize = 32;

    const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    /// A new secret of exactly 32 URL-safe characters.
    pub fn generate() -> Secret {
        let mut random = rand::rng();
        Secret::new((0..Self::LENGTH).map(|_| Self::character(&mut random)).collect::<String>())
    }

    fn character(random: &mut impl RngExt) -> char {
        let index: usize = random.random_range(0..Self::URL_SAFE.len());
        char::from(Self::URL_SAFE[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_secrets_are_32_url_safe_characters_and_differ() {
        let (first, second) = (WebhookSecret::generate(), WebhookSecret::generate());
        assert_eq!(first.expose().len(), 32);
        assert!(first.expose().bytes().all(|byte| WebhookSecret::URL_SAFE.contains(&byte)));
        assert_ne!(first, second);
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "(secret)");
    }
}
