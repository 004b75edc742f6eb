//! Secrets that let somebody in: 256 bits each.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const BYTES: usize = 32;

/// A session's or a link's token, as its owner has it. Postgres has its hash alone.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new one.
    pub fn random() -> Self {
        let mut bytes = Zeroizing::new([0_u8; BYTES]);
        rand::fill(&mut bytes[..]);
        Self(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(&bytes[..])))
    }

    /// Reads one; none where the text cannot be a token.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?);
        (bytes.len() == BYTES).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What its owner is given.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What Postgres knows it by.
    pub fn hash(&self) -> [u8; BYTES] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Another secret that follows from it, for one purpose, from which neither it nor its hash can be told.
    pub fn derive(&self, purpose: &str) -> String {
        let mut digest = Sha256::new();
        digest.update(purpose.as_bytes());
        digest.update([0]);
        digest.update(self.0.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(digest.finalize())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_never_shown() {
        let token = Token::random();
        assert_eq!(token.reveal().len(), 43);
        assert_eq!(Token::parse(token.reveal()).unwrap().hash(), token.hash());
        assert_ne!(Token::random().hash(), token.hash());
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_ne!(token.derive("form"), token.derive("other"));
    }

    #[test]
    fn what_is_no_token_is_none() {
        let long = "A".repeat(44);
        for text in ["", "x", "../../etc/passwd", &long, &"é".repeat(21)] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
    }
}
