//! One campus's core: asked for members behind its bulkhead, and what its failures mean.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use campus_core::{CoreSession, lacks_filter_fields};
use chrono::{DateTime, Utc};
use core_api::{Charge, CoreError, Keys, MemoryShare, SessionError};
use database::Pool;
use member::CoreMember;
use retry::{Failure, classify, is_transient, retry_transient};
use store::{CampusConfig, TokenError};
use tokio_util::sync::CancellationToken;

use crate::core::{
    breaker::{Admit, CoreFailure, FailureScope},
    bulkhead::{Bulkhead, Deferral, Permit},
    failure::{core_failure, fails, of_core, retry_after},
    metrics::CampusMetrics,
};

/// How long an event is held when the shared token cannot be read: Postgres is in trouble, and asking at once again
/// would only heat it.
const TOKEN_PAUSE: Duration = Duration::from_secs(1);

/// How long room for an answer is waited for.
const ROOM_LIMIT: Duration = Duration::from_secs(10);

/// Why a member is not at hand.
#[derive(Debug)]
pub(crate) enum Unfetched {
    /// The core has no such member (404, 410).
    Absent(Failure),
    /// The core could not or would not answer.
    Failed(Failure),
    /// The core was not even asked, for lack of room or of use.
    Deferred(Deferral),
    /// Nothing can be said about the event: Postgres is in trouble, or the campus was configured anew meanwhile.
    Held,
}

/// Who wants to know what about whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemberRequest<'a> {
    /// The core's id of the member.
    pub(crate) member: &'a str,
    /// Since when somebody waits for it.
    pub(crate) since: DateTime<Utc>,
    /// It was deferred for so long that it must be asked for now (rule worker-10).
    pub(crate) is_overdue: bool,
}

/// A campus's core, as its configuration of one version says.
#[derive(Clone)]
pub(crate) struct CampusCore {
    pub(crate) version: i64,
    pub(crate) session: Arc<CoreSession>,
    pub(crate) bulkhead: Arc<Bulkhead>,
    /// What is looked at of a member.
    pub(crate) keys: Arc<Keys>,
    pub(crate) memory: Arc<MemoryShare>,
    pub(crate) pool: Pool,
    pub(crate) stopping: CancellationToken,
    pub(crate) metrics: Arc<CampusMetrics>,
}

impl CampusCore {
    /// Waits for leave to ask, and for room for the answer. Where there is none it is waited for without a place among the
    /// core's requests (rule worker-20), and not for ever: others may need what this event holds.
    pub(crate) async fn enter(
        &self,
        request: &MemberRequest<'_>,
    ) -> Result<(Permit, Charge), Unfetched> {
        let permit = self.acquire(request).await?;
        if let Some(charge) = self.memory.try_enter() {
            return Ok((permit, charge));
        }
        drop(permit);
        match tokio::time::timeout(ROOM_LIMIT, self.memory.enter()).await {
            Ok(charge) => Ok((self.acquire(request).await?, charge)),
            Err(_) => Err(Unfetched::Deferred(Deferral::Crowded(self.bulkhead.turn()))),
        }
    }

    /// Waits for leave to ask.
    pub(crate) async fn acquire(&self, request: &MemberRequest<'_>) -> Result<Permit, Unfetched> {
        let MemberRequest { since, is_overdue, .. } = *request;
        let permit = self.bulkhead.acquire(since, is_overdue, &self.stopping).await;
        permit.map_err(Unfetched::Deferred)
    }

    /// Asks for a member, again after a transient failure; `only` for some of its keys.
    pub(crate) async fn ask(
        &self,
        campus: &CampusConfig,
        request: &MemberRequest<'_>,
        (mut permit, charge): (Permit, Charge),
        only: Option<&Keys>,
    ) -> Result<(CoreMember, Charge), Unfetched> {
        if permit.admit == Admit::Probe && self.bulkhead.probes_by_known() {
            permit = self.probe(campus, request, permit).await?;
        }
        // The number drawn at admission stays good for a repeated request (decision 13): an earlier number only makes
        // the interval wider. What failed before it returned nothing to apply.
        let (keys, slot) = match only {
            None => (&*self.keys, Some(self.bulkhead.slots.take().await)),
            Some(keys) => (keys, None),
        };
        permit.begin();
        let begin = Instant::now();
        let answer = retry_transient(
            || self.session.fetch(request.member, keys, &charge),
            |error| matches!(error, SessionError::Core(error) if is_transient(error)),
        )
        .await;
        self.metrics.fetched(&answer, begin.elapsed());
        if let Some(slot) = slot {
            slot.ended(match &answer {
                Err(SessionError::Core(error)) => Some(error),
                _ => None,
            });
        }
        match answer {
            Ok(member) => {
                let was_tripped = self.bulkhead.is_tripped();
                self.bulkhead.readable(permit, request.member);
                self.log_recovery(campus, was_tripped);
                if lacks_filter_fields(campus, &member) {
                    self.metrics.undecided();
                }
                Ok((member, charge))
            }
            Err(SessionError::Core(error)) => {
                let failure = self.failed(campus, request.member, permit, &error).await;
                Err(match error {
                    CoreError::NotFound { .. } | CoreError::Gone { .. } => {
                        Unfetched::Absent(failure)
                    }
                    _ => Unfetched::Failed(failure),
                })
            }
            Err(error) => Err(hold(campus, &error).await),
        }
    }

    /// What a failure means for the event, and for its core: whether its breaker opens, which is found
    /// out, in doubt, by asking for a member that was readable before (rule worker-11).
    async fn failed(
        &self,
        campus: &CampusConfig,
        member: &str,
        mut permit: Permit,
        error: &CoreError,
    ) -> Failure {
        let failure = classify(error);
        let was_tripped = self.bulkhead.is_tripped();
        let Some(kind) = core_failure(error, &failure) else {
            self.bulkhead.answered(permit);
            self.log_recovery(campus, was_tripped);
            return failure;
        };
        let of_core = of_core(kind, &failure);
        let wait = retry_after(error);
        let is_core = match self.bulkhead.failed(&mut permit, member, (kind, &of_core), wait) {
            FailureScope::Members => false,
            FailureScope::Core => true,
            FailureScope::Doubtful => self.resolve_doubt(campus, kind, &of_core).await,
        };
        if !was_tripped && self.bulkhead.is_tripped() {
            let (cause, reason) = (of_core.cause.as_str(), &of_core.reason);
            tracing::warn!(
                campus_id = %campus.id, cause, reason,
                "circuit breaker opened; the core is probed every 5 s"
            );
        }
        if is_core { of_core } else { failure }
    }

    /// Whether several members' failures are the core's: a member that was readable before is so no more, or none is
    /// known.
    async fn resolve_doubt(
        &self,
        campus: &CampusConfig,
        kind: CoreFailure,
        failure: &Failure,
    ) -> bool {
        let known = self.known_member(campus).await;
        let is_core = match &known {
            Some(known) => fails(&self.look(known).await, kind),
            None => true,
        };
        if is_core {
            self.bulkhead.confirm(kind, failure, known.as_deref());
        } else {
            self.bulkhead.dispel();
        }
        is_core
    }

    /// Finds out by a member that was readable before whether the core is well again: what is asked for now may be one
    /// that it cannot show. The event goes on with a permit of its own, or is deferred.
    async fn probe(
        &self,
        campus: &CampusConfig,
        request: &MemberRequest<'_>,
        mut permit: Permit,
    ) -> Result<Permit, Unfetched> {
        let Some(known) = self.known_member(campus).await else { return Ok(permit) };
        match self.look(&known).await {
            Ok(_) => {
                self.bulkhead.readable(permit, &known);
                self.log_recovery(campus, true);
            }
            Err(SessionError::Core(error)) => {
                let failure = classify(&error);
                match core_failure(&error, &failure) {
                    // That one is gone, which says little of the rest: the event is the probe.
                    None => return Ok(permit),
                    Some(kind) => {
                        let (of_core, wait) = (of_core(kind, &failure), retry_after(&error));
                        self.bulkhead.failed(&mut permit, &known, (kind, &of_core), wait);
                    }
                }
            }
            Err(error) => return Err(hold(campus, &error).await),
        }
        self.acquire(request).await
    }

    /// Asks for a member only to see whether the core answers.
    async fn look(&self, member: &str) -> Result<CoreMember, SessionError<TokenError>> {
        let begin = Instant::now();
        let answer = self.session.fetch(member, &Keys::only(["id"]), &Charge::free()).await;
        self.metrics.fetched(&answer, begin.elapsed());
        answer
    }

    /// A member of the campus that was readable before, and is none of those in doubt.
    async fn known_member(&self, campus: &CampusConfig) -> Option<String> {
        if let Some(known) = self.bulkhead.known() {
            return Some(known);
        }
        match store::known_member(&self.pool, campus.id, &self.bulkhead.suspects()).await {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(campus_id = %campus.id, %error, "no known member can be asked for");
                None
            }
        }
    }

    fn log_recovery(&self, campus: &CampusConfig, was_tripped: bool) {
        if was_tripped && !self.bulkhead.is_tripped() {
            tracing::info!(campus_id = %campus.id, "circuit breaker closed");
        }
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
