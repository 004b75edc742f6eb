//! What must not be printed: the login and the token that it gives.

use std::{fmt, sync::Arc};

/// A core account.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The account's address.
    pub email: String,
    /// Its password.
    pub password: String,
    /// The church that it logs in for, where that is known: newer cores ask a super admin for it.
    pub church: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials(…)")
    }
}

/// A core access token. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Arc<str>);

impl Token {
    /// Longer than any token that fits into the request headers servers accept.
    const LONGEST: usize = 16 * 1024;

    /// None for what cannot stand in a header: nothing, spaces, control characters, or too much.
    pub fn new(text: &str) -> Option<Self> {
        let fits = !text.is_empty()
            && text.len() <= Self::LONGEST
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.into()))
    }

    /// The token itself: to seal it, or to send it to the core.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}
