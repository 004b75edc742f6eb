//! The token in a process's memory.

use std::time::{Duration, Instant};

use super::StoredToken;
use crate::Token;

/// When in its life a token is renewed: each process has its own moment, so that they do not all come to
/// the row at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewal(f64);

impl Renewal {
    pub(super) fn random() -> Self {
        Self(rand::random_range(0.80..0.95))
    }
}

/// A token with its times, by this process's own monotonic clock.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) token: Token,
    pub(super) version: i64,
    pub(super) renew_at: Instant,
    pub(super) expires_at: Instant,
}

impl Held {
    pub(super) fn new(stored: StoredToken, renewal: Renewal) -> Self {
        let now = Instant::now();
        let after = |moment: Duration| now + moment.saturating_sub(stored.age);
        Self {
            renew_at: after(stored.lifetime.mul_f64(renewal.0)),
            expires_at: after(stored.lifetime),
            token: stored.token,
            version: stored.version,
        }
    }
}
