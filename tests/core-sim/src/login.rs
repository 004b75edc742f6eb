//! Accounts, tokens, and the limit on logins.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::options::Settings;

/// Someone who can log in.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) user_id: String,
    pub(super) email: String,
    pub(super) password: String,
    /// The church's number; none for the super admin, who sees every church.
    pub(super) church: Option<usize>,
}

/// Who asks, once the token has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    /// The church's number; none for the super admin.
    pub(super) church: Option<usize>,
}

/// Tokens that are valid.
#[derive(Debug, Default)]
pub(super) struct Tokens(RwLock<HashMap<String, (Access, Instant)>>);

impl Tokens {
    /// A new token for whoever may see that.
    pub(super) fn issue(&self, access: Access, lifetime: Duration) -> String {
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let mut tokens = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        tokens.retain(|_, (_, expires)| *expires > now);
        tokens.insert(token.clone(), (access, now + lifetime));
        token
    }

    /// Whose token it is, if it is a valid one.
    pub(super) fn check(&self, token: &str) -> Option<Access> {
        let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (access, expires) = tokens.get(token)?;
        (*expires > Instant::now()).then_some(*access)
    }

    /// Makes every token invalid.
    pub(super) fn revoke_all(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The moments of the latest logins by address, failed ones included: a sliding window.
#[derive(Debug, Default)]
pub(super) struct LoginLimit(Mutex<HashMap<IpAddr, VecDeque<Instant>>>);

impl LoginLimit {
    /// Counts a login, or says in how many seconds there may be one again. Refused ones do not count.
    pub(super) fn admit(&self, address: IpAddr, settings: &Settings) -> Result<(), u64> {
        let Some(limit) = settings.login_limit else { return Ok(()) };
        let window = Duration::from_millis(settings.login_window_ms);
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = logins.entry(address).or_default();
        recent.retain(|moment| moment.elapsed() < window);
        if recent.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            let oldest = recent.front().map_or(Duration::ZERO, Instant::elapsed);
            return Err(window.saturating_sub(oldest).as_secs() + 1);
        }
        recent.push_back(Instant::now());
        Ok(())
    }

    /// Forgets all logins so far.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The answer to a login, with the recorded keys, and with how long the token lives where that is to be
/// said.
pub(super) fn answer(
    token: &str,
    account: &Account,
    church: (&str, &str),
    expires_in: Option<u64>,
) -> Vec<u8> {
    let (church_id, church_name) = church;
    let super_admin = account.church.is_none();
    let moment = "2025-01-06T02:30:17.007801";
    let mut answer = json!({
        "access_token": token,
        "token_type": "bearer",
        "user": {
            "id": account.user_id,
            "email": account.email,
            "full_name": if super_admin { "Super Admin" } else { "Admin" },
            "role": if super_admin { "super_admin" } else { "admin" },
            "church_id": if super_admin { Value::Null } else { church_id.into() },
            "is_active": true,
            "created_at": moment,
            "updated_at": moment,
        },
        "church": {
            "id": church_id,
            "name": church_name,
            "created_at": moment,
            "updated_at": moment,
            "is_active": true,
        },
    });
    if let Some(seconds) = expires_in {
        answer["expires_in"] = seconds.into();
    }
    answer.to_string().into_bytes()
}
