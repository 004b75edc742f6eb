//! The row that all processes share.

use std::{future::Future, time::Duration};

use uuid::Uuid;

use crate::{LoginTrouble, Token};

/// The token in the row.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// The token.
    pub token: Token,
    /// Moves with every new token and never back.
    pub version: i64,
    /// How long ago it was obtained, by the database's clock.
    pub age: Duration,
    /// How long it is good for, from when it was obtained.
    pub lifetime: Duration,
}

impl StoredToken {
    /// Whether it has not expired.
    pub fn is_usable(&self) -> bool {
        self.age < self.lifetime
    }
}

/// The answer to whoever wants to log in.
#[derive(Clone, Debug)]
pub enum Lease {
    /// Log in: nobody else will for 15 s. With the version of the row that was leased, which moves
    /// when the campus's login changes or somebody else logs in.
    Won(i64),
    /// Somebody did already.
    Newer(StoredToken),
    /// Somebody is logging in.
    HeldByAnother,
    /// The last login failed: none for this long.
    NotBefore(Duration, LoginTrouble),
    /// The token that is to be replaced is less than a minute old. The core refuses what it just gave, so
    /// another login would only use up the budget.
    TooYoung,
    /// The logins of the last minute to this host, failed ones included, are used up: none for this
    /// long. With what failed last, if anything did.
    NoBudget(Duration, LoginTrouble),
    /// The campus is configured anew, and whoever asks knows an older configuration.
    Outdated,
}

/// Where the processes of an installation share a campus's core token.
///
/// Every method is one short transaction; none is held open while the core is asked. All times are the
/// database's.
pub trait TokenStore: Send + Sync + 'static {
    /// Why the store failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The token in the row, expired or not. None where there is none: never obtained, or deleted because
    /// the campus's core address or login changed.
    fn current(
        &self,
        campus: Uuid,
    ) -> impl Future<Output = Result<Option<StoredToken>, Self::Error>> + Send;

    /// Asks to be the one who replaces `version` (None: there is no token), knowing version `config`
    /// of the campus's configuration. The first of these that is true: there is a newer
    /// configuration (`Outdated`); the row's token has another version (`Newer`); it is under a minute old and
    /// not expired (`TooYoung`); somebody holds the lease (`HeldByAnother`); a pause runs
    /// (`NotBefore`); four logins to `host` (name and port) were begun within a minute
    /// (`NoBudget`). Otherwise `Won`: the lease is taken for 15 s and the login counted.
    fn lease(
        &self,
        campus: Uuid,
        version: Option<i64>,
        config: i64,
        host: &str,
    ) -> impl Future<Output = Result<Lease, Self::Error>> + Send;

    /// Writes the successor of the version that was leased, ends the lease and any pause, and answers
    /// the row as it now is. If it has another version meanwhile, it stays as it is and is the answer.
    fn replace(
        &self,
        campus: Uuid,
        fence: i64,
        token: &Token,
        lifetime: Duration,
    ) -> impl Future<Output = Result<StoredToken, Self::Error>> + Send;

    /// Ends the lease without a token: nobody logs in for `pause`, because of `trouble`. Nothing
    /// happens if the row has another version than was leased: what failed is not what is configured.
    fn login_failed(
        &self,
        campus: Uuid,
        fence: i64,
        pause: Duration,
        trouble: LoginTrouble,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
