//! The campuses' cores: one session each, and one bulkhead that bounds what is asked of it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use campus::Sealer;
use campus_core::CampusCores;
use core_api::{AllowedHosts, AnswerMemory, Charge, ClientError, ClientSettings, Keys};
use database::Pool;
use member::CoreMember;
use retry::{Failure, RetrySchedule};
use serde_json::{Map, Value, json};
use store::CampusConfig;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use crate::core::campus_core::{MemberRequest, Unfetched};
use crate::core::{
    bulkhead::Bulkhead, campus_core::CampusCore, limits::Limits, metrics::CoreMetrics,
};

/// What a campus may still hold where others need the room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Events that may be kept beside those who wait for the core.
    pub(crate) places: usize,
    /// When the others are better back.
    pub(crate) turn: Duration,
}

/// All cores.
pub(crate) struct Cores {
    opened: CampusCores,
    limits: Limits,
    memory: Arc<AnswerMemory>,
    campuses: Mutex<HashMap<Uuid, CampusCore>>,
    pool: Pool,
    stopping: CancellationToken,
    metrics: CoreMetrics,
}

/// How a campus's core is dealt with now.
pub(crate) struct CoreState {
    pub(crate) campus: Uuid,
    /// Its breaker is open: only probes are sent.
    pub(crate) is_tripped: bool,
    pub(crate) under_way: usize,
}

impl Cores {
    pub(crate) fn new(
        pool: Pool,
        sealer: Sealer,
        allowed: AllowedHosts,
        limits: Limits,
        memory: Arc<AnswerMemory>,
        stopping: CancellationToken,
    ) -> Result<Self, ClientError> {
        let settings = ClientSettings { allowed, ..Default::default() };
        Ok(Self {
            opened: CampusCores::new(pool.clone(), sealer, settings)?,
            limits,
            memory,
            campuses: Mutex::default(),
            pool,
            stopping,
            metrics: CoreMetrics::new(),
        })
    }

    /// What a campus may hold.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Has those wait elsewhere who wait beyond their campus's share for a core that is slow; what may wait is shared by
    /// the campuses of which some do, be it for a member that is under way, as those of `others`. Answers what else these
    /// may hold.
    pub(crate) fn make_room(
        &self,
        schedule: &RetrySchedule,
        others: &HashSet<Uuid>,
    ) -> HashMap<Uuid, Room> {
        let slow: Vec<(Uuid, Arc<Bulkhead>)> = {
            let campuses = self.campuses();
            let slow = campuses.iter().filter(|(campus, core)| {
                let somebody_waits = core.bulkhead.waiting() > 0 || others.contains(*campus);
                somebody_waits && core.bulkhead.is_slow()
            });
            slow.map(|(campus, core)| (*campus, Arc::clone(&core.bulkhead))).collect()
        };
        let share = self.limits.waiting / slow.len().max(1);
        let room = |(campus, bulkhead): (Uuid, Arc<Bulkhead>)| {
            (campus, Room { places: bulkhead.make_room(share, schedule), turn: bulkhead.turn() })
        };
        slow.into_iter().map(room).collect()
    }

    /// The cores that were asked so far.
    pub(crate) fn states(&self) -> Vec<CoreState> {
        let state = |(campus, core): (&Uuid, &CampusCore)| CoreState {
            campus: *campus,
            is_tripped: core.bulkhead.is_tripped(),
            under_way: core.bulkhead.under_way(),
        };
        self.campuses().iter().map(state).collect()
    }

    /// The requests that cores have not answered yet, by campus, as this worker's row of `instances` tells them.
    pub(crate) fn requests_under_way(&self) -> Map<String, Value> {
        let busy = self.states().into_iter().filter(|state| state.under_way > 0);
        busy.map(|state| (state.campus.to_string(), json!(state.under_way))).collect()
    }

    /// The circuit breakers that are open, by campus, as this worker's row of `instances` tells them.
    pub(crate) fn open_breakers(&self) -> Map<String, Value> {
        let open = |(campus, core): (&Uuid, &CampusCore)| {
            let (since, failure) = core.bulkhead.open_breaker()?;
            let told = json!({
                "cause": failure.cause.as_str(),
                "reason": failure.reason,
                "open_for_seconds": since.as_secs(),
            });
            Some((campus.to_string(), told))
        };
        self.campuses().iter().filter_map(open).collect()
    }

    /// Asks the campus's core for a member, again after a transient failure, if it is of use to ask.
    pub(crate) async fn fetch(
        &self,
        campus: &CampusConfig,
        request: &MemberRequest<'_>,
    ) -> Result<(CoreMember, Charge), Unfetched> {
        self.ask(campus, request, None).await
    }

    /// Asks, for somebody who holds a member already, whether the core has another: only whether it is deleted is looked
    /// at, and room for the answer is not waited for, since whoever has the room may wait for this.
    pub(crate) async fn has(
        &self,
        campus: &CampusConfig,
        request: &MemberRequest<'_>,
    ) -> Result<bool, Unfetched> {
        let keys = Keys::only(["id", "is_deleted"]);
        match self.ask(campus, request, Some(&keys)).await {
            Ok((member, _)) => Ok(!member.is_deleted()),
            Err(Unfetched::Absent(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn ask(
        &self,
        campus: &CampusConfig,
        request: &MemberRequest<'_>,
        only: Option<&Keys>,
    ) -> Result<(CoreMember, Charge), Unfetched> {
        let core = self.core(campus).map_err(|failure| {
            self.metrics.of(campus.id).unusable();
            Unfetched::Failed(failure)
        })?;
        let entered = match only {
            None => core.enter(request).await?,
            Some(_) => (core.acquire(request).await?, Charge::free()),
        };
        if !self.is_current(campus.id, &core) {
            return Err(Unfetched::Held);
        }
        core.ask(campus, request, entered, only).await
    }

    /// Whether the core is still what the campus's configuration says, as far as is known.
    fn is_current(&self, campus: Uuid, core: &CampusCore) -> bool {
        self.campuses().get(&campus).is_none_or(|current| current.version == core.version)
    }

    /// The campus's core; made anew when its configuration changed. Who was admitted under an older one asks by the
    /// newer: what it finds is not written, but asked for anew.
    fn core(&self, campus: &CampusConfig) -> Result<CampusCore, Failure> {
        let mut campuses = self.campuses();
        let before = campuses.get(&campus.id);
        if let Some(core) = before
            && core.version >= campus.version
        {
            return Ok(core.clone());
        }
        let session = self.opened.open(campus)?;
        let bulkhead =
            before.map_or_else(|| Bulkhead::new(self.limits), |core| core.bulkhead.renewed());
        let metrics = before
            .map_or_else(|| Arc::new(self.metrics.of(campus.id)), |core| Arc::clone(&core.metrics));
        let memory = before.map_or_else(|| self.memory.share(), |core| Arc::clone(&core.memory));
        let core = CampusCore {
            version: campus.version,
            session,
            bulkhead: Arc::new(bulkhead),
            keys: Arc::new(campus_core::keys(campus)),
            memory,
            pool: self.pool.clone(),
            stopping: self.stopping.clone(),
            metrics,
        };
        campuses.insert(campus.id, core.clone());
        Ok(core)
    }

    fn campuses(&self) -> MutexGuard<'_, HashMap<Uuid, CampusCore>> {
        self.campuses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
