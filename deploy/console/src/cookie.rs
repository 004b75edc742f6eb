//! The cookie that a session's token is in.

use axum::http::{HeaderMap, HeaderValue, header};
use store::operators::Token;

/// Its name: with the prefix no other host and no plain http can set it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionCookie {
    is_encrypted: bool,
}

impl SessionCookie {
    pub(crate) fn new(is_encrypted: bool) -> Self {
        Self { is_encrypted }
    }

    fn name(self) -> &'static str {
        if self.is_encrypted { "__Host-session" } else { "session" }
    }

    /// The token that a browser sent; none where it sent several.
    pub(crate) fn token(self, headers: &HeaderMap) -> Option<Token> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs =
            lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(name, _)| *name == self.name()).map(|(_, value)| value);
        let token = Token::parse(values.next()?)?;
        values.next().is_none().then_some(token)
    }

    /// Sets it.
    pub(crate) fn set(self, token: &Token) -> Option<HeaderValue> {
        self.line(token.reveal(), "")
    }

    /// Takes it away.
    pub(crate) fn clear(self) -> Option<HeaderValue> {
        self.line("", "; Max-Age=0")
    }

    fn line(self, value: &str, more: &str) -> Option<HeaderValue> {
        let secure = if self.is_encrypted { "; Secure" } else { "" };
        let line =
            format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}", self.name());
        let mut line = HeaderValue::try_from(line).ok()?;
        line.set_sensitive(true);
        Some(line)
    }
}
