//! The token of a campus as the programs left it: asked with, and never replaced.

use std::time::Duration;

use core_api::{Lease, LoginTrouble, StoredToken, Token, TokenStore};
use store::{PostgresTokens, TokenError};
use uuid::Uuid;

/// Tokens that are stored already. A session over them never logs in, and where the core refuses the token answers that.
pub(super) struct KeptTokens(pub(super) PostgresTokens);

impl KeptTokens {
    /// Whether there is a token for the campus that has not expired.
    pub(super) async fn has(&self, campus: Uuid) -> Result<bool, TokenError> {
        Ok(self.0.current(campus).await?.is_some_and(|stored| stored.is_usable()))
    }
}

impl TokenStore for KeptTokens {
    type Error = TokenError;

    async fn current(&self, campus: Uuid) -> Result<Option<StoredToken>, TokenError> {
        self.0.current(campus).await
    }

    /// As of a token that is not to be replaced yet: nobody logs in, and no login is counted.
    async fn lease(&self, _: Uuid, _: Option<i64>, _: i64, _: &str) -> Result<Lease, TokenError> {
        Ok(Lease::TooYoung)
    }

    // Without a lease nothing is replaced, and no login fails.

    async fn replace(
        &self,
        campus: Uuid,
        fence: i64,
        token: &Token,
        lifetime: Duration,
    ) -> Result<StoredToken, TokenError> {
        self.0.replace(campus, fence, token, lifetime).await
    }

    async fn login_failed(
        &self,
        campus: Uuid,
        fence: i64,
        pause: Duration,
        trouble: LoginTrouble,
    ) -> Result<(), TokenError> {
        self.0.login_failed(campus, fence, pause, trouble).await
    }
}
