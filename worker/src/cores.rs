//! The campuses' cores: one session each, and a bound on what is asked of it at once.

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
use retry::{Failure, bridge, classify, is_blip};
use store::CampusConfig;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::metrics::Metrics;

/// How long an event is held when the shared token cannot be read: Postgres is in trouble, and
/// asking at once again would only heat it.
const TOKEN_PAUSE: Duration = Duration::from_secs(1);

/// Why a member is not at hand.
#[derive(Debug)]
pub(crate) enum Unfetched {
    /// The core has no such member (404, 410).
    Absent(Failure),
    /// The core could not or would not answer.
    Failed(Failure),
    /// Postgres is in trouble: nothing can be said about the event.
    Held,
}

/// All cores.
pub(crate) struct Cores {
    opened: CampusCores,
    concurrency: usize,
    campuses: Mutex<HashMap<Uuid, Core>>,
    metrics: Arc<Metrics>,
}

/// A campus's core, as its configuration of one version says.
#[derive(Clone)]
struct Core {
    version: i64,
    session: Arc<CoreSession>,
    permits: Arc<Semaphore>,
}

impl Cores {
    pub(crate) fn new(
        pool: Pool,
        sealer: Sealer,
        allowed: AllowedHosts,
        concurrency: usize,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ClientError> {
        let settings = ClientSettings { allowed, ..Default::default() };
        Ok(Self {
            opened: CampusCores::new(pool, sealer, settings)?,
            concurrency,
            campuses: Mutex::default(),
            metrics,
        })
    }

    /// Asks the campus's core for a member, bridging blips.
    pub(crate) async fn fetch(
        &self,
        campus: &CampusConfig,
        member_id: &str,
    ) -> Result<CoreMember, Unfetched> {
        let core = self.core(campus).map_err(Unfetched::Failed)?;
        let Ok(_permit) = core.permits.acquire().await else { return Err(Unfetched::Held) };
        let begin = Instant::now();
        // The number drawn at admission stays good for a repeated request: an earlier number only
        // makes the interval wider. What failed before it returned nothing to apply.
        let answer = bridge(
            || core.session.member(member_id),
            |error| matches!(error, SessionError::Core(error) if is_blip(error)),
        )
        .await;
        self.metrics.fetched(begin.elapsed());
        match answer {
            Ok(member) => Ok(member),
            Err(SessionError::Core(error)) => Err(match error {
                CoreError::NotFound { .. } | CoreError::Gone { .. } => {
                    Unfetched::Absent(classify(&error))
                }
                _ => Unfetched::Failed(classify(&error)),
            }),
            Err(error @ SessionError::Store(_)) => {
                tracing::warn!(%error, "the core's shared token cannot be reached, an event is held");
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
        let permits = campuses.get(&campus.id).map_or_else(
            || Arc::new(Semaphore::new(self.concurrency)),
            |core| Arc::clone(&core.permits),
        );
        let core = Core { version: campus.version, session, permits };
        campuses.insert(campus.id, core.clone());
        Ok(core)
    }
}
