//! One login for everybody.
//!
//! The core allows five logins a minute and its tokens live for a day, so all processes of an installation
//! share one token: a row in the database ([`TokenStore`]) with a version. A process keeps the token in
//! memory and goes to the row only when it has none, when the core refused it, or when it grows old.
//!
//! ```text
//!            ┌── the row has another usable version ──▶ use it
//! need one ──┤
//!            └── else ask for the lease of that version
//!                  Won ───────────▶ log in ──▶ write the next version, use it
//!                                          └─▶ failed: write a pause, report the failure
//!                  Newer ─────────▶ use it
//!                  HeldByAnother ─▶ wait a little, look at the row again
//!                  NotBefore, NoBudget, TooYoung ─▶ report a pause, or the refused token
//!                  Outdated ──────▶ report that the campus is configured anew
//! ```
//!
//! In a process one task at a time does this for a campus; the others wait for it, or, where the old token
//! is still good and merely due for renewal, go on with that.

mod sessions;
mod store;
mod token;

use std::{
    future::Future,
    panic::resume_unwind,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use member::CoreMember;
use runtime::TRACES;
use thiserror::Error;
use tracing::{Instrument, info, info_span, warn};
use uuid::Uuid;

use crate::{
    Call, Charge, CoreClient, CoreError, Credentials, Endpoint, Keys, LoginTrouble, Operation,
    Page, Rows, error::OUTAGE_PAUSE,
};
pub use sessions::Sessions;
pub use store::{Lease, StoredToken, TokenStore};
use token::{Held, Renewal};

/// How long a task waits for another process's login: the lease's 15 s and a little more, so that the lease
/// of a process that died runs out within it.
const LOGIN_WAIT: Duration = Duration::from_secs(20);
/// Between two looks at the row.
const POLL: Duration = Duration::from_millis(100);
/// Before renewal is tried again while the old token is still good.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);
/// How long a process remembers a pause before it looks at the row again, which an operator may have
/// changed meanwhile.
const REMEMBERED_PAUSE: Duration = Duration::from_secs(2);

/// Why a call through a session has no answer.
#[derive(Debug, Error)]
pub enum SessionError<E: std::error::Error + 'static> {
    /// The core failed, or its login.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The shared token could not be read or written.
    #[error("cannot reach the shared core token")]
    Store(#[source] E),
    /// The campus was configured anew since this session was opened: a login by the old
    /// configuration would only cost the new one a pause.
    #[error("the campus's configuration has changed since its core was opened")]
    Outdated,
}

/// A campus's way to its core: the client with the shared token.
#[derive(Debug)]
pub struct Session<S> {
    client: CoreClient,
    store: Arc<S>,
    campus: Uuid,
    endpoint: Endpoint,
    credentials: Credentials,
    renewal: Renewal,
    /// The newest version of the campus's configuration that led to this session.
    config_version: AtomicI64,
    /// Never held across an await.
    state: Mutex<State>,
    /// Whoever has it goes to the row.
    gate: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    pause: Option<Pause>,
}

/// Why no token is to be had for a moment: what waits at the gate is told without asking again.
#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Instant,
    why: PauseReason,
}

#[derive(Clone, Copy, Debug)]
enum PauseReason {
    /// No login may be tried.
    Login(LoginTrouble),
    /// The core refused a token that it gave less than a minute ago: another one would fare no better.
    TokenRefused,
}

impl<S: TokenStore> Session<S> {
    fn new(
        client: CoreClient,
        store: Arc<S>,
        campus: Uuid,
        endpoint: Endpoint,
        credentials: Credentials,
        renewal: Renewal,
    ) -> Self {
        let (state, gate) = (Mutex::default(), tokio::sync::Mutex::default());
        let config_version = AtomicI64::new(0);
        Self { client, store, campus, endpoint, credentials, renewal, config_version, state, gate }
    }

    /// Asks the core for one member, with everything that it says of it.
    pub async fn member(&self, id: &str) -> Result<CoreMember, SessionError<S::Error>> {
        self.fetch(id, &Keys::ALL, &Charge::free()).await
    }

    /// Asks the core for some keys of one member; what its answer takes is charged.
    pub async fn fetch(
        &self,
        id: &str,
        keys: &Keys,
        charge: &Charge,
    ) -> Result<CoreMember, SessionError<S::Error>> {
        self.call(|token| async move {
            self.client.fetch(&self.endpoint, &token, id, keys, charge).await
        })
        .await
    }

    /// Asks the core for a page of its member list, whose rows go into what `rows` makes: something new
    /// each time the page is asked for.
    pub async fn page<R: Rows>(
        &self,
        skip: u64,
        limit: u32,
        rows: impl Fn() -> R,
    ) -> Result<Page<R>, SessionError<S::Error>> {
        self.call(|token| {
            let rows = rows();
            async move { self.client.page(&self.endpoint, &token, skip, limit, rows).await }
        })
        .await
    }

    /// Runs an operation with the token, and once more with a new one if the core refuses it (401).
    ///
    /// May be dropped at any point. A login goes on without whoever began it, so its lease is not left behind.
    pub async fn call<T, F, Answer>(&self, operation: F) -> Result<T, SessionError<S::Error>>
    where
        F: Fn(crate::Token) -> Answer,
        Answer: Future<Output = Result<T, CoreError>>,
    {
        let held = self.token().await?;
        match operation(held.token).await {
            Err(CoreError::Unauthorized { call: refused }) => {
                let fresh = self.obtain(Some(held.version), refused).await?;
                Ok(operation(fresh.token).await?)
            }
            answer => Ok(answer?),
        }
    }

    /// The token in hand, or the row's, or a new one.
    async fn token(&self) -> Result<Held, SessionError<S::Error>> {
        let (held, now) = (self.held(), Instant::now());
        match held {
            Some(held) if now < held.renew_at => Ok(held),
            Some(held) if now < held.expires_at => Ok(self.renew(held).await),
            _ => self.obtain(None, self.endpoint.call(Operation::LogIn)).await,
        }
    }

    /// Renews a token that is still good. Whatever goes wrong, it stays good for a while.
    async fn renew(&self, old: Held) -> Held {
        let Ok(_gate) = self.gate.try_lock() else { return old };
        match self.try_renew(old.version).await {
            Ok(Some(fresh)) => fresh,
            Ok(None) => self.renew_later(old),
            Err(error) => {
                warn!(campus_id = %self.campus, error = &error as &dyn std::error::Error,
                    "the core token could not be renewed ahead of its expiry");
                self.renew_later(old)
            }
        }
    }

    async fn try_renew(&self, version: i64) -> Result<Option<Held>, SessionError<S::Error>> {
        match self.lease(Some(version)).await? {
            Lease::Won(fence) => self.log_in(fence).await.map(Some),
            Lease::Newer(stored) => Ok(stored.is_usable().then(|| self.keep(stored))),
            Lease::HeldByAnother
            | Lease::NotBefore(..)
            | Lease::TooYoung
            | Lease::NoBudget(..)
            | Lease::Outdated => Ok(None),
        }
    }

    /// Gets a token other than the refused version, waiting for another process's login if need be.
    async fn obtain(
        &self,
        refused: Option<i64>,
        call: Call,
    ) -> Result<Held, SessionError<S::Error>> {
        let span = info_span!(target: TRACES, "obtain core token");
        self.obtain_at_gate(refused, call).instrument(span).await
    }

    async fn obtain_at_gate(
        &self,
        refused: Option<i64>,
        call: Call,
    ) -> Result<Held, SessionError<S::Error>> {
        let _gate = self.gate.lock().await;
        if let Some(held) = self.other_than(refused) {
            return Ok(held);
        }
        self.check_pause(&call)?;
        let deadline = Instant::now() + LOGIN_WAIT;
        loop {
            let stored = self.store.current(self.campus).await.map_err(SessionError::Store)?;
            let version = stored.as_ref().map(|stored| stored.version);
            if let Some(stored) = stored.filter(StoredToken::is_usable)
                && version != refused
            {
                return Ok(self.keep(stored));
            }
            match self.lease(version).await? {
                Lease::Won(fence) => return self.log_in(fence).await,
                Lease::Newer(stored) if stored.is_usable() && Some(stored.version) != refused => {
                    return Ok(self.keep(stored));
                }
                Lease::Newer(_) | Lease::HeldByAnother => {}
                Lease::NotBefore(retry_after, after) | Lease::NoBudget(retry_after, after) => {
                    self.pause(retry_after, PauseReason::Login(after));
                    return Err(CoreError::LoginPaused { retry_after, after }.into());
                }
                Lease::TooYoung => {
                    self.pause(REMEMBERED_PAUSE, PauseReason::TokenRefused);
                    return Err(CoreError::Unauthorized { call }.into());
                }
                Lease::Outdated => return Err(SessionError::Outdated),
            }
            if Instant::now() >= deadline {
                let after = LoginTrouble::Away;
                return Err(CoreError::LoginPaused { retry_after: OUTAGE_PAUSE, after }.into());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn lease(&self, version: Option<i64>) -> Result<Lease, SessionError<S::Error>> {
        let host = self.endpoint.host_and_port();
        let config = self.config_version.load(Ordering::Relaxed);
        self.store.lease(self.campus, version, config, &host).await.map_err(SessionError::Store)
    }

    /// Logs in, holding the lease. In a task of its own: whoever asked may be dropped meanwhile, and the
    /// others would wait until the lease runs out.
    async fn log_in(&self, fence: i64) -> Result<Held, SessionError<S::Error>> {
        let login = Login {
            client: self.client.clone(),
            store: Arc::clone(&self.store),
            campus: self.campus,
            endpoint: self.endpoint.clone(),
            credentials: self.credentials.clone(),
        };
        let login = tokio::spawn(login.run(fence).in_current_span());
        match login.await.unwrap_or_else(|panic| resume_unwind(panic.into_panic())) {
            Ok(stored) => {
                info!(campus_id = %self.campus, version = stored.version, "logged in to the core");
                Ok(self.keep(stored))
            }
            Err(error) => {
                if let SessionError::Core(error) = &error {
                    self.pause(error.login_pause(), PauseReason::Login(error.login_trouble()));
                }
                Err(error)
            }
        }
    }

    fn keep(&self, stored: StoredToken) -> Held {
        let held = Held::new(stored, self.renewal);
        let mut state = self.state();
        state.held = Some(held.clone());
        state.pause = None;
        held
    }

    fn renew_later(&self, mut old: Held) -> Held {
        old.renew_at = Instant::now() + RENEWAL_PAUSE;
        let mut state = self.state();
        if let Some(held) = state.held.as_mut().filter(|held| held.version == old.version) {
            held.renew_at = old.renew_at;
        }
        old
    }

    fn held(&self) -> Option<Held> {
        self.state().held.clone()
    }

    /// The token in hand, where it is good and not the one that was refused.
    fn other_than(&self, refused: Option<i64>) -> Option<Held> {
        let held = self.held()?;
        (Some(held.version) != refused && Instant::now() < held.expires_at).then_some(held)
    }

    fn pause(&self, wait: Duration, why: PauseReason) {
        let until = Instant::now() + wait.min(REMEMBERED_PAUSE);
        self.state().pause = Some(Pause { until, why });
    }

    fn check_pause(&self, call: &Call) -> Result<(), CoreError> {
        let pause = self.state().pause;
        match pause {
            Some(pause) if Instant::now() < pause.until => Err(match pause.why {
                PauseReason::TokenRefused => CoreError::Unauthorized { call: call.clone() },
                PauseReason::Login(after) => {
                    CoreError::LoginPaused { retry_after: pause.until - Instant::now(), after }
                }
            }),
            _ => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A login under way, and what it does to the row.
struct Login<S> {
    client: CoreClient,
    store: Arc<S>,
    campus: Uuid,
    endpoint: Endpoint,
    credentials: Credentials,
}

impl<S: TokenStore> Login<S> {
    async fn run(self, fence: i64) -> Result<StoredToken, SessionError<S::Error>> {
        let Self { client, store, campus, endpoint, credentials } = self;
        match client.login(&endpoint, &credentials).await {
            Ok(issued) => store
                .replace(campus, fence, &issued.token, issued.lifetime)
                .await
                .map_err(SessionError::Store),
            Err(error) => {
                store
                    .login_failed(campus, fence, error.login_pause(), error.login_trouble())
                    .await
                    .map_err(SessionError::Store)?;
                Err(error.into())
            }
        }
    }
}
