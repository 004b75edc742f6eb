//! The shared row, in memory: what [`TokenStore`] asks of a real one, with times that a test can set.

use std::{
    convert::Infallible,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use core_api::{Lease, LoginTrouble, StoredToken, Token, TokenStore};
use uuid::Uuid;

/// One campus's row with the rules it keeps. `Default` is a row without a token.
pub(crate) struct TokenRow {
    pub(crate) row: Mutex<Row>,
    /// How long a lease is held.
    pub(crate) lease_time: Duration,
    /// How old a token must be to be replaced.
    pub(crate) youngest: Duration,
    /// Logins that the budget has left.
    pub(crate) budget: Mutex<usize>,
    /// The version of the campus's configuration.
    pub(crate) config: AtomicI64,
}

#[derive(Default)]
pub(crate) struct Row {
    token: Option<(Token, Instant, Duration)>,
    version: i64,
    lease_until: Option<Instant>,
    not_before: Option<Instant>,
    trouble: Option<LoginTrouble>,
}

impl Default for TokenRow {
    fn default() -> Self {
        Self {
            row: Mutex::default(),
            lease_time: Duration::from_secs(15),
            youngest: Duration::ZERO,
            budget: Mutex::new(100),
            config: AtomicI64::new(1),
        }
    }
}

impl TokenRow {
    /// A row with a token that was obtained `age` ago.
    pub(crate) fn with_token(token: &str, age: Duration, lifetime: Duration) -> Self {
        let row = Self::default();
        let obtained = Instant::now().checked_sub(age).unwrap();
        row.row.lock().unwrap().token = Some((Token::new(token).unwrap(), obtained, lifetime));
        row.row.lock().unwrap().version = 1;
        row
    }

    pub(crate) fn version(&self) -> i64 {
        self.row.lock().unwrap().version
    }

    /// Another process has the lease.
    pub(crate) fn lease_to_another(&self) {
        self.row.lock().unwrap().lease_until = Some(Instant::now() + self.lease_time);
    }

    /// The campus's login is changed, as `faithctl campus set` does it.
    pub(crate) fn configure_anew(&self) {
        self.config.fetch_add(1, Ordering::Relaxed);
        let mut row = self.row.lock().unwrap();
        *row = Row { version: row.version + 1, ..Row::default() };
    }

    /// The pause after a failed login is over.
    pub(crate) fn end_pause(&self) {
        self.row.lock().unwrap().not_before = None;
    }

    /// How long nobody may log in.
    pub(crate) fn pause_left(&self) -> Option<Duration> {
        remaining(self.row.lock().unwrap().not_before)
    }
}

impl Row {
    fn stored(&self) -> Option<StoredToken> {
        let (token, obtained, lifetime) = self.token.clone()?;
        Some(StoredToken { token, version: self.version, age: obtained.elapsed(), lifetime })
    }
}

fn remaining(until: Option<Instant>) -> Option<Duration> {
    until?.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}

impl TokenStore for TokenRow {
    type Error = Infallible;

    async fn current(&self, _campus: Uuid) -> Result<Option<StoredToken>, Infallible> {
        Ok(self.row.lock().unwrap().stored())
    }

    async fn lease(
        &self,
        _campus: Uuid,
        version: Option<i64>,
        config: i64,
        host: &str,
    ) -> Result<Lease, Infallible> {
        assert!(host.starts_with("127.0.0.1:"), "{host}");
        if config < self.config.load(Ordering::Relaxed) {
            return Ok(Lease::Outdated);
        }
        let mut row = self.row.lock().unwrap();
        if let Some(stored) = row.stored() {
            if Some(stored.version) != version {
                return Ok(Lease::Newer(stored));
            }
            if stored.age < self.youngest && stored.is_usable() {
                return Ok(Lease::TooYoung);
            }
        }
        if remaining(row.lease_until).is_some() {
            return Ok(Lease::HeldByAnother);
        }
        if let Some(left) = remaining(row.not_before) {
            return Ok(Lease::NotBefore(left, row.trouble.unwrap()));
        }
        let mut budget = self.budget.lock().unwrap();
        if *budget == 0 {
            let trouble = row.trouble.unwrap_or(LoginTrouble::Budget);
            return Ok(Lease::NoBudget(Duration::from_secs(30), trouble));
        }
        *budget -= 1;
        row.lease_until = Some(Instant::now() + self.lease_time);
        Ok(Lease::Won(row.version))
    }

    async fn replace(
        &self,
        _campus: Uuid,
        fence: i64,
        token: &Token,
        lifetime: Duration,
    ) -> Result<StoredToken, Infallible> {
        let mut row = self.row.lock().unwrap();
        if row.version == fence {
            let token = Some((token.clone(), Instant::now(), lifetime));
            *row = Row { token, version: fence + 1, ..Row::default() };
        }
        let (token, version, age) = (token.clone(), row.version, Duration::ZERO);
        Ok(row.stored().unwrap_or(StoredToken { token, version, age, lifetime }))
    }

    async fn login_failed(
        &self,
        _campus: Uuid,
        fence: i64,
        pause: Duration,
        trouble: LoginTrouble,
    ) -> Result<(), Infallible> {
        let mut row = self.row.lock().unwrap();
        if row.version == fence {
            row.lease_until = None;
            (row.not_before, row.trouble) = (Some(Instant::now() + pause), Some(trouble));
        }
        Ok(())
    }
}
