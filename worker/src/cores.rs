//! The campuses' cores: one session each, and one gate that bounds what is asked of it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use campus::Sealer;
use campus_core::{CampusCores, CoreSession};
use core_api::{AllowedHosts, ClientError, ClientSettings, CoreError, SessionError};
use database::Pool;
use member::CoreMember;
use retry::{Failure, Kind, bridge, classify, is_blip};
use store::CampusConfig;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    core_metrics::{CampusMetrics, CoreMetrics},
    gate::{Gate, Pass, PutOff, Share},
};

/// How long an event is held when the shared token cannot be read: Postgres is in trouble, and
/// asking at once again would only heat it.
const TOKEN_PAUSE: Duration = Duration::from_secs(1);

/// The longest that a refused or crowded login keeps a campus's events away from its core: an
/// operator may mend it at any moment, and asking the session costs the core nothing.
const LOGIN_PAUSE: Duration = Duration::from_secs(5);

/// Why a member is not at hand.
#[derive(Debug)]
pub(crate) enum Unfetched {
    /// The core has no such member (404, 410).
    Absent(Failure),
    /// The core could not or would not answer.
    Failed(Failure),
    /// The core was not even asked, for lack of room or of use: again after `wait`.
    PutOff {
        /// When there may be room.
        wait: Duration,
        /// What is wrong with the core.
        trouble: Failure,
    },
    /// Postgres is in trouble: nothing can be said about the event.
    Held,
}

/// All cores.
pub(crate) struct Cores {
    opened: CampusCores,
    share: Share,
    campuses: Mutex<HashMap<Uuid, Core>>,
    /// Told whenever a campus's core gets into trouble, or out of it.
    changed: Arc<Notify>,
    stopping: CancellationToken,
    metrics: CoreMetrics,
}

/// A campus's core, as its configuration of one version says.
#[derive(Clone)]
struct Core {
    version: i64,
    session: Arc<CoreSession>,
    gate: Arc<Gate>,
    metrics: Arc<CampusMetrics>,
}

/// How a campus's core is dealt with now.
pub(crate) struct CoreState {
    pub(crate) campus: Uuid,
    /// It is left alone, but for probes.
    pub(crate) is_tripped: bool,
    pub(crate) under_way: usize,
}

impl Core {
    fn answered(&self, campus: Uuid, pass: Pass) {
        let was_tripped = self.gate.is_tripped();
        self.gate.answered(pass);
        if was_tripped {
            tracing::info!(campus_id = %campus, "the core answers again");
        }
    }

    fn failed(&self, campus: Uuid, pass: Pass, failure: &Failure, wish: Option<Duration>) {
        let was_tripped = self.gate.is_tripped();
        self.gate.failed(pass, failure, wish);
        if !was_tripped && self.gate.is_tripped() {
            let (cause, reason) = (failure.cause.as_str(), &failure.reason);
            tracing::warn!(campus_id = %campus, cause, reason, "the core is left alone, but for probes");
        }
    }
}

impl Cores {
    pub(crate) fn new(
        pool: Pool,
        sealer: Sealer,
        allowed: AllowedHosts,
        share: Share,
        stopping: CancellationToken,
    ) -> Result<Self, ClientError> {
        let settings = ClientSettings { allowed, ..Default::default() };
        Ok(Self {
            opened: CampusCores::new(pool, sealer, settings)?,
            share,
            campuses: Mutex::default(),
            changed: Arc::default(),
            stopping,
            metrics: CoreMetrics::new(),
        })
    }

    /// Resolves when some campus's core has got into trouble, or out of it.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What a campus may hold while its core is in trouble.
    pub(crate) fn share(&self) -> Share {
        self.share
    }

    /// Whether the campus's core is in trouble, so that no more of it should be held than must be.
    pub(crate) fn is_strained(&self, campus: Uuid) -> bool {
        let campuses = self.campuses.lock().unwrap_or_else(PoisonError::into_inner);
        campuses.get(&campus).is_some_and(|core| core.gate.is_strained())
    }

    /// The cores that were asked so far.
    pub(crate) fn states(&self) -> Vec<CoreState> {
        let campuses = self.campuses.lock().unwrap_or_else(PoisonError::into_inner);
        let state = |(campus, core): (&Uuid, &Core)| CoreState {
            campus: *campus,
            is_tripped: core.gate.is_tripped(),
            under_way: core.gate.under_way(),
        };
        campuses.iter().map(state).collect()
    }

    /// Asks the campus's core for a member, bridging blips, if it is of use to ask.
    pub(crate) async fn fetch(
        &self,
        campus: &CampusConfig,
        member_id: &str,
    ) -> Result<CoreMember, Unfetched> {
        let core = self.core(campus).map_err(Unfetched::Failed)?;
        let pass = core
            .gate
            .enter(&self.stopping)
            .await
            .map_err(|PutOff(wait)| Unfetched::PutOff { wait, trouble: core.gate.trouble() })?;
        let begin = Instant::now();
        // The number drawn at admission stays good for a repeated request: an earlier number only
        // makes the interval wider. What failed before it returned nothing to apply.
        let request = bridge(
            || core.session.member(member_id),
            |error| matches!(error, SessionError::Core(error) if is_blip(error)),
        );
        let answer = core.gate.watch(request).await;
        core.metrics.fetched(&answer, begin.elapsed());
        match answer {
            Ok(member) => {
                core.answered(campus.id, pass);
                Ok(member)
            }
            Err(SessionError::Core(error)) => {
                let failure = classify(&error);
                if failure.kind == Kind::Outage {
                    core.failed(campus.id, pass, &failure, wish(&error));
                } else {
                    core.answered(campus.id, pass);
                }
                Err(match error {
                    CoreError::NotFound { .. } | CoreError::Gone { .. } => {
                        Unfetched::Absent(failure)
                    }
                    _ => Unfetched::Failed(failure),
                })
            }
            Err(error @ SessionError::Store(_)) => {
                tracing::warn!(
                    campus_id = %campus.id, %error,
                    "the core's shared token cannot be reached, a member's events are held"
                );
                tokio::time::sleep(TOKEN_PAUSE).await;
                Err(Unfetched::Held)
            }
        }
    }

    /// The campus's core; made anew when its configuration changed.
    fn core(&self, campus: &CampusConfig) -> Result<Core, Failure> {
        let mut campuses = self.campuses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(core) = campuses.get(&campus.id)
            && core.version == campus.version
        {
            return Ok(core.clone());
        }
        let session = self.opened.open(campus)?;
        let gate = campuses.get(&campus.id).map_or_else(
            || Gate::new(self.share, Arc::clone(&self.changed)),
            |core| core.gate.renewed(self.share),
        );
        let metrics = campuses
            .get(&campus.id)
            .map_or_else(|| Arc::new(self.metrics.of(campus.id)), |core| Arc::clone(&core.metrics));
        let core = Core { version: campus.version, session, gate: Arc::new(gate), metrics };
        campuses.insert(campus.id, core.clone());
        Ok(core)
    }
}

/// For how long the core, or the way to its login, asks to be left alone; at least a moment where
/// it says that there was too much.
fn wish(error: &CoreError) -> Option<Duration> {
    match error {
        CoreError::RateLimited { retry_after, .. } => Some(retry_after.unwrap_or_default()),
        CoreError::LoginPaused { retry_after } => Some((*retry_after).min(LOGIN_PAUSE)),
        CoreError::LoginRefused { .. } => Some(LOGIN_PAUSE),
        error => error.retry_after(),
    }
}
