//! The campuses' cores: one session each, and one gate that bounds what is asked of it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use campus::Sealer;
use campus_core::{CampusCores, CoreSession, lacks_filter_fields};
use chrono::{DateTime, Utc};
use core_api::{
    AllowedHosts, AnswerMemory, Charge, ClientError, ClientSettings, CoreError, Keys, MemoryShare,
    SessionError,
};
use database::Pool;
use member::CoreMember;
use retry::{Failure, RetrySchedule, classify, is_transient, retry_transient};
use store::CampusConfig;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::core::{
    breaker::{Entry, Verdict},
    bulkhead::{Gate, Pass, PutOff},
    limits::Share,
    metrics::{CampusMetrics, CoreMetrics},
    trouble::{fails, of_core, trouble, wish},
};

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
    /// The core was not even asked, for lack of room or of use.
    PutOff(PutOff),
    /// Nothing can be said about the event: Postgres is in trouble, or the campus was configured
    /// anew meanwhile.
    Held,
}

/// Who wants to know what about whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// The core's id of the member.
    pub(crate) member: &'a str,
    /// Since when somebody waits for it.
    pub(crate) since: DateTime<Utc>,
    /// It was put off for so long that it must be asked for now.
    pub(crate) is_overdue: bool,
}

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
    share: Share,
    memory: Arc<AnswerMemory>,
    campuses: Mutex<HashMap<Uuid, Core>>,
    pool: Pool,
    stopping: CancellationToken,
    metrics: CoreMetrics,
}

/// A campus's core, as its configuration of one version says.
#[derive(Clone)]
struct Core {
    version: i64,
    session: Arc<CoreSession>,
    gate: Arc<Gate>,
    /// What is looked at of a member.
    keys: Arc<Keys>,
    memory: Arc<MemoryShare>,
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
    /// Asks for a member only to see whether the core answers.
    async fn look(&self, member: &str) -> Result<CoreMember, SessionError<store::TokenError>> {
        self.session.fetch(member, &Keys::only(["id"]), &Charge::free()).await
    }
}

impl Cores {
    pub(crate) fn new(
        pool: Pool,
        sealer: Sealer,
        allowed: AllowedHosts,
        share: Share,
        memory: Arc<AnswerMemory>,
        stopping: CancellationToken,
    ) -> Result<Self, ClientError> {
        let settings = ClientSettings { allowed, ..Default::default() };
        Ok(Self {
            opened: CampusCores::new(pool.clone(), sealer, settings)?,
            share,
            memory,
            campuses: Mutex::default(),
            pool,
            stopping,
            metrics: CoreMetrics::new(),
        })
    }

    /// What a campus may hold.
    pub(crate) fn share(&self) -> Share {
        self.share
    }

    /// Has those wait elsewhere who wait beyond their campus's share for a core that is slow; what
    /// may wait is shared by the campuses of which some do, be it for a member that is under way, as
    /// those of `others`. Answers what else these may hold.
    pub(crate) fn make_room(
        &self,
        schedule: &RetrySchedule,
        others: &HashSet<Uuid>,
    ) -> HashMap<Uuid, Room> {
        let slow: Vec<(Uuid, Arc<Gate>)> = {
            let campuses = self.campuses.lock().unwrap_or_else(PoisonError::into_inner);
            let slow = campuses.iter().filter(|(campus, core)| {
                let somebody_waits = core.gate.waiting() > 0 || others.contains(*campus);
                somebody_waits && core.gate.is_slow()
            });
            slow.map(|(campus, core)| (*campus, Arc::clone(&core.gate))).collect()
        };
        let share = self.share.waiting / slow.len().max(1);
        let room = |(campus, gate): (Uuid, Arc<Gate>)| {
            (campus, Room { places: gate.make_room(share, schedule), turn: gate.turn() })
        };
        slow.into_iter().map(room).collect()
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

    /// Asks the campus's core for a member, retrying transient failures, if it is of use to ask.
    pub(crate) async fn fetch(
        &self,
        campus: &CampusConfig,
        wish: &Wish<'_>,
    ) -> Result<(CoreMember, Charge), Unfetched> {
        self.ask(campus, wish, None).await
    }

    /// Asks, for somebody who holds a member already, whether the core has another: only whether it is deleted
    /// is looked at, and room for the answer is not waited for, since whoever has the room may wait for this.
    pub(crate) async fn has(
        &self,
        campus: &CampusConfig,
        wish: &Wish<'_>,
    ) -> Result<bool, Unfetched> {
        let keys = Keys::only(["id", "is_deleted"]);
        match self.ask(campus, wish, Some(&keys)).await {
            Ok((member, _)) => Ok(!member.is_deleted()),
            Err(Unfetched::Absent(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn ask(
        &self,
        campus: &CampusConfig,
        wish: &Wish<'_>,
        only: Option<&Keys>,
    ) -> Result<(CoreMember, Charge), Unfetched> {
        let core = self.core(campus).map_err(Unfetched::Failed)?;
        let mut pass = core
            .gate
            .enter(wish.since, wish.is_overdue, &self.stopping)
            .await
            .map_err(Unfetched::PutOff)?;
        if !self.is_current(campus.id, &core) {
            return Err(Unfetched::Held);
        }
        if pass.entry == Entry::Probe && core.gate.probes_by_known() {
            pass = self.probe(campus, &core, wish, pass).await?;
        }
        // The number drawn at admission stays good for a repeated request: an earlier number only
        // makes the interval wider. What failed before it returned nothing to apply.
        let (keys, charge) = match only {
            None => (&*core.keys, core.memory.enter().await),
            Some(keys) => (keys, Charge::free()),
        };
        pass.begin();
        let begin = Instant::now();
        let answer = retry_transient(
            || core.session.fetch(wish.member, keys, &charge),
            |error| matches!(error, SessionError::Core(error) if is_transient(error)),
        )
        .await;
        core.metrics.fetched(&answer, begin.elapsed());
        let error = match answer {
            Ok(member) => {
                let was_tripped = core.gate.is_tripped();
                core.gate.readable(pass, wish.member);
                tell_of_recovery(campus, &core, was_tripped);
                if lacks_filter_fields(campus, &member) {
                    core.metrics.undecided();
                }
                return Ok((member, charge));
            }
            Err(SessionError::Core(error)) => error,
            Err(error) => return Err(hold(campus, &error).await),
        };
        let failure = self.failed(campus, &core, wish.member, pass, &error).await;
        Err(match error {
            CoreError::NotFound { .. } | CoreError::Gone { .. } => Unfetched::Absent(failure),
            _ => Unfetched::Failed(failure),
        })
    }

    /// What a failure means for the event, and for its core: whether that is left alone from here
    /// on, which is found out, in doubt, by asking for a member that was readable before.
    async fn failed(
        &self,
        campus: &CampusConfig,
        core: &Core,
        member: &str,
        mut pass: Pass,
        error: &CoreError,
    ) -> Failure {
        let failure = classify(error);
        let was_tripped = core.gate.is_tripped();
        let Some(trouble) = trouble(error, &failure) else {
            core.gate.answered(pass);
            tell_of_recovery(campus, core, was_tripped);
            return failure;
        };
        let of_core = of_core(trouble, &failure);
        let verdict = core.gate.failed(&mut pass, member, (trouble, &of_core), wish(error));
        let is_core = match verdict {
            Verdict::Members => false,
            Verdict::Core => true,
            Verdict::Doubtful => {
                let known = self.known(campus, core).await;
                let is_core = match &known {
                    Some(known) => fails(&core.look(known).await, trouble),
                    None => true,
                };
                if is_core {
                    core.gate.confirm(trouble, &of_core, known.as_deref());
                } else {
                    core.gate.dispel();
                }
                is_core
            }
        };
        if !was_tripped && core.gate.is_tripped() {
            let (cause, reason) = (of_core.cause.as_str(), &of_core.reason);
            tracing::warn!(
                campus_id = %campus.id, cause, reason,
                "the core is left alone, but for probes"
            );
        }
        if is_core { of_core } else { failure }
    }

    /// Finds out by a member that was readable before whether the core is well again: what is asked
    /// for now may be one that it cannot show. The event goes on with a pass of its own, or is put off.
    async fn probe(
        &self,
        campus: &CampusConfig,
        core: &Core,
        event: &Wish<'_>,
        mut pass: Pass,
    ) -> Result<Pass, Unfetched> {
        let Some(known) = self.known(campus, core).await else { return Ok(pass) };
        match core.look(&known).await {
            Ok(_) => {
                core.gate.readable(pass, &known);
                tell_of_recovery(campus, core, true);
            }
            Err(SessionError::Core(error)) => {
                let failure = classify(&error);
                match trouble(&error, &failure) {
                    // That one is gone, which says little of the rest: the event is the probe.
                    None => return Ok(pass),
                    Some(trouble) => {
                        let of_core = of_core(trouble, &failure);
                        core.gate.failed(&mut pass, &known, (trouble, &of_core), wish(&error));
                    }
                }
            }
            Err(error) => return Err(hold(campus, &error).await),
        }
        let entered = core.gate.enter(event.since, event.is_overdue, &self.stopping).await;
        entered.map_err(Unfetched::PutOff)
    }

    /// A member of the campus that was readable before, and is none of those in doubt.
    async fn known(&self, campus: &CampusConfig, core: &Core) -> Option<String> {
        if let Some(known) = core.gate.known() {
            return Some(known);
        }
        match store::known_member(&self.pool, campus.id, &core.gate.suspects()).await {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(campus_id = %campus.id, %error, "no known member can be asked for");
                None
            }
        }
    }

    /// Whether the core is still what the campus's configuration says, as far as is known.
    fn is_current(&self, campus: Uuid, core: &Core) -> bool {
        let campuses = self.campuses.lock().unwrap_or_else(PoisonError::into_inner);
        campuses.get(&campus).is_none_or(|current| current.version == core.version)
    }

    /// The campus's core; made anew when its configuration changed. Who was admitted under an older one
    /// asks by the newer: what it finds is not written, but asked for anew.
    fn core(&self, campus: &CampusConfig) -> Result<Core, Failure> {
        let mut campuses = self.campuses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(core) = campuses.get(&campus.id)
            && core.version >= campus.version
        {
            return Ok(core.clone());
        }
        let session = self.opened.open(campus)?;
        let gate = campuses
            .get(&campus.id)
            .map_or_else(|| Gate::new(self.share), |core| core.gate.renewed());
        let metrics = campuses
            .get(&campus.id)
            .map_or_else(|| Arc::new(self.metrics.of(campus.id)), |core| Arc::clone(&core.metrics));
        let memory = campuses
            .get(&campus.id)
            .map_or_else(|| self.memory.share(), |core| Arc::clone(&core.memory));
        let (gate, keys) = (Arc::new(gate), Arc::new(campus_core::keys(campus)));
        let core = Core { version: campus.version, session, gate, keys, memory, metrics };
        campuses.insert(campus.id, core.clone());
        Ok(core)
    }
}

fn tell_of_recovery(campus: &CampusConfig, core: &Core, was_tripped: bool) {
    if was_tripped && !core.gate.is_tripped() {
        tracing::info!(campus_id = %campus.id, "the core answers again");
    }
}

/// The core was not asked: the event is held, where Postgres is in trouble for a moment.
async fn hold<E: std::error::Error + 'static>(
    campus: &CampusConfig,
    error: &SessionError<E>,
) -> Unfetched {
    if matches!(error, SessionError::Store(_)) {
        tracing::warn!(
            campus_id = %campus.id, %error,
            "the core's shared token cannot be reached, a member's events are held"
        );
        tokio::time::sleep(TOKEN_PAUSE).await;
    }
    Unfetched::Held
}
