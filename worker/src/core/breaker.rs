//! A circuit breaker for a campus's core (rule worker-11): closed while the core answers; open, but for a probe now and
//! then, while it does not.

use std::time::{Duration, Instant};

/// Members in a row that the core could not answer about, after which the breaker opens.
const OUTAGES: usize = 5;
/// Members that the account may not see, with no other between, after which it is the account that
/// has lost its right.
const FORBIDDEN: usize = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest time between two probes, and until a probe without an end is forgotten. A core that
/// is back must be found so before its people notice.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest `Retry-After` that is waited for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(10);
/// Until a doubt that nobody resolved is forgotten; longer than a request may take.
const DOUBT_LIMIT: Duration = Duration::from_secs(15);
/// Members kept in mind as those that the core could not answer about.
const SUSPECTS: usize = 16;

/// Whether a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admit {
    /// By everybody: the breaker is closed.
    Allowed,
    /// By whoever got this answer, and by nobody else until it has said how it went.
    Probe,
    /// Not before the time has passed.
    Rejected(Duration),
}

/// What a request says of the core when it could not be answered as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CoreFailure {
    /// There was no answer, or a login that failed.
    Away,
    /// An answer of 5xx, or a page: perhaps about this member alone.
    Error,
    /// The account may not see this member: perhaps this one alone.
    Forbidden,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureScope {
    /// It may well be that member's own.
    Members,
    /// It is one too many: if a member that was readable before is readable now, it is those
    /// members' own: [`Breaker::dispel`], or else [`Breaker::confirm`].
    Doubtful,
    /// The core fails, or the campus's account there has lost its right.
    Core,
}

/// A circuit breaker: closed while the core answers.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// The distinct members that the core could not answer about since it last answered.
    failed: Vec<String>,
    /// The distinct members that were forbidden since one was readable.
    forbidden: Vec<String>,
    doubt: Option<Instant>,
    tripped: Option<Tripped>,
}

#[derive(Debug)]
struct Tripped {
    since: Instant,
    next_probe: Instant,
    pause: Duration,
    probes: u32,
    by: CoreFailure,
}

impl Breaker {
    /// Whether a request at `now` may be sent.
    pub(crate) fn admit(&mut self, now: Instant) -> Admit {
        match &mut self.tripped {
            None => Admit::Allowed,
            Some(tripped) if tripped.next_probe <= now => {
                tripped.next_probe = now + LONGEST_PAUSE;
                tripped.probes += 1;
                Admit::Probe
            }
            Some(tripped) => Admit::Rejected(tripped.next_probe.duration_since(now)),
        }
    }

    /// How long nobody may ask; none where somebody may.
    pub(crate) fn rejects_for(&self, now: Instant) -> Option<Duration> {
        let wait = self.tripped.as_ref()?.next_probe.duration_since(now);
        Some(wait).filter(|wait| !wait.is_zero())
    }

    /// Whether the probe under way should ask for a member that was readable before. Every other one
    /// does not: that member may have become unreadable.
    pub(crate) fn probes_by_known(&self) -> bool {
        self.tripped.as_ref().is_some_and(|tripped| tripped.probes % 2 == 1)
    }

    /// The core showed a member.
    pub(crate) fn readable(&mut self) {
        *self = Self::default();
    }

    /// The core answered, but with no member: 404 and the like. An account without rights may be
    /// told so too.
    pub(crate) fn answered(&mut self) {
        self.failed.clear();
        if !self.is_forbidden() {
            self.tripped = None;
        }
    }

    /// The core could not answer about `member`, asked by leave of `admit`; `retry_after` where it
    /// said for how long.
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        admit: Admit,
        member: &str,
        failure: CoreFailure,
        retry_after: Option<Duration>,
    ) -> FailureScope {
        let (seen, most) = match failure {
            CoreFailure::Away | CoreFailure::Error => (&mut self.failed, OUTAGES),
            CoreFailure::Forbidden => (&mut self.forbidden, FORBIDDEN),
        };
        remember(seen, member);
        let is_many = seen.len() >= most;
        if failure == CoreFailure::Forbidden {
            self.answered();
        }
        match &self.tripped {
            // What was under way when it tripped fails too, and says nothing new but how long to wait.
            Some(_) if admit != Admit::Probe && retry_after.is_none() => FailureScope::Core,
            Some(_) => {
                self.trip(now, admit, failure, retry_after);
                FailureScope::Core
            }
            None if retry_after.is_some() || (is_many && failure == CoreFailure::Away) => {
                self.trip(now, admit, failure, retry_after);
                FailureScope::Core
            }
            None if is_many && self.doubt.is_none_or(|since| now >= since + DOUBT_LIMIT) => {
                self.doubt = Some(now);
                FailureScope::Doubtful
            }
            None => FailureScope::Members,
        }
    }

    /// Resolves a doubt: a member that was readable before is so no more, or none is known.
    pub(crate) fn confirm(&mut self, now: Instant, failure: CoreFailure, by: Option<&str>) {
        self.doubt = None;
        if let Some(member) = by {
            remember(&mut self.failed, member);
        }
        if self.tripped.is_none() {
            self.trip(now, Admit::Allowed, failure, None);
        }
    }

    /// Resolves a doubt: a member that was readable before is so still.
    pub(crate) fn dispel(&mut self) {
        self.failed.clear();
        self.forbidden.clear();
        self.doubt = None;
    }

    fn trip(&mut self, now: Instant, admit: Admit, by: CoreFailure, retry_after: Option<Duration>) {
        let (since, pause, probes) = match &self.tripped {
            Some(tripped) if admit == Admit::Probe => {
                (tripped.since, (tripped.pause * 2).min(LONGEST_PAUSE), tripped.probes)
            }
            Some(tripped) => (tripped.since, tripped.pause, tripped.probes),
            None => (now, FIRST_PAUSE, 0),
        };
        let retry_after =
            retry_after.map_or(Duration::ZERO, |retry_after| retry_after.min(LONGEST_RETRY_AFTER));
        let next_probe = now + pause.max(retry_after);
        self.tripped = Some(Tripped { since, next_probe, pause, probes, by });
    }

    /// The members that are not believed to be readable.
    pub(crate) fn suspects(&self) -> Vec<String> {
        [self.failed.as_slice(), &self.forbidden].concat()
    }

    /// Whether the breaker is open.
    pub(crate) fn is_tripped(&self) -> bool {
        self.tripped.is_some()
    }

    /// Since when the core is left alone; none where it is not.
    pub(crate) fn tripped_since(&self) -> Option<Instant> {
        Some(self.tripped.as_ref()?.since)
    }

    /// Whether the campus's account has lost its right.
    fn is_forbidden(&self) -> bool {
        self.tripped.as_ref().is_some_and(|tripped| tripped.by == CoreFailure::Forbidden)
    }
}

fn remember(members: &mut Vec<String>, member: &str) {
    if members.len() < SUSPECTS && !members.iter().any(|id| id == member) {
        members.push(member.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(
        breaker: &mut Breaker,
        now: Instant,
        member: usize,
        failure: CoreFailure,
    ) -> FailureScope {
        breaker.failed(now, Admit::Allowed, &member.to_string(), failure, None)
    }

    fn tripped(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for member in 0..OUTAGES {
            assert_eq!(breaker.admit(now), Admit::Allowed);
            fail(&mut breaker, now, member, CoreFailure::Away);
        }
        assert!(breaker.is_tripped());
        breaker
    }

    #[test]
    fn a_core_that_fails_now_and_then_is_not_left_alone() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for round in 0..100 {
            for member in 1..OUTAGES {
                fail(&mut breaker, now, round * OUTAGES + member, CoreFailure::Away);
            }
            breaker.answered();
        }
        assert_eq!(breaker.admit(now), Admit::Allowed);
    }

    #[test]
    fn one_member_that_cannot_be_shown_is_its_own_trouble_however_often() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for failure in [CoreFailure::Error, CoreFailure::Away, CoreFailure::Forbidden] {
            for _ in 0..100 {
                assert_eq!(fail(&mut breaker, now, 7, failure), FailureScope::Members);
            }
        }
        assert_eq!(breaker.admit(now), Admit::Allowed);
    }

    #[test]
    fn many_members_with_errors_are_a_doubt_that_one_readable_member_resolves() {
        let now = Instant::now();
        for (failure, many) in [(CoreFailure::Error, OUTAGES), (CoreFailure::Forbidden, FORBIDDEN)]
        {
            let mut breaker = Breaker::default();
            for member in 1..many {
                assert_eq!(fail(&mut breaker, now, member, failure), FailureScope::Members);
            }
            assert_eq!(fail(&mut breaker, now, 0, failure), FailureScope::Doubtful);
            assert_eq!(fail(&mut breaker, now, 99, failure), FailureScope::Members, "one asks");
            breaker.dispel();
            assert_eq!(breaker.admit(now), Admit::Allowed);
            for member in 1..=many {
                fail(&mut breaker, now, member, failure);
            }
            breaker.confirm(now, failure, None);
            assert_eq!(breaker.admit(now), Admit::Rejected(FIRST_PAUSE));
            assert_eq!(breaker.is_forbidden(), failure == CoreFailure::Forbidden);
            assert_eq!(
                fail(&mut breaker, now, 5, failure),
                FailureScope::Core,
                "under way meanwhile"
            );
        }
    }

    #[test]
    fn a_doubt_whose_request_was_given_up_is_had_anew() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for member in 0..OUTAGES {
            fail(&mut breaker, now, member, CoreFailure::Error);
        }
        assert_eq!(fail(&mut breaker, now, 9, CoreFailure::Error), FailureScope::Members);
        assert_eq!(
            fail(&mut breaker, now + DOUBT_LIMIT, 9, CoreFailure::Error),
            FailureScope::Doubtful
        );
    }

    #[test]
    fn only_a_member_that_is_shown_ends_the_outage_of_an_account() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        breaker.confirm(now, CoreFailure::Forbidden, None);
        breaker.answered();
        assert!(breaker.is_forbidden());
        breaker.readable();
        assert_eq!(breaker.admit(now), Admit::Allowed);
    }

    #[test]
    fn one_probe_at_a_time_finds_out_whether_it_is_back() {
        let now = Instant::now();
        let mut breaker = tripped(now);
        assert_eq!(breaker.admit(now), Admit::Rejected(FIRST_PAUSE));
        let later = now + FIRST_PAUSE;
        assert_eq!(breaker.admit(later), Admit::Probe);
        assert!(matches!(breaker.admit(later), Admit::Rejected(_)));
        breaker.answered();
        assert_eq!(breaker.admit(later), Admit::Allowed);
    }

    #[test]
    fn probes_come_slower_but_never_stop_and_ask_for_known_members_in_turn() {
        let mut now = Instant::now();
        let mut breaker = tripped(now);
        for (number, pause) in [1, 2, 4, 5, 5].into_iter().enumerate() {
            assert_eq!(breaker.admit(now), Admit::Rejected(Duration::from_secs(pause)));
            now += Duration::from_secs(pause);
            assert_eq!(breaker.admit(now), Admit::Probe);
            assert_eq!(breaker.probes_by_known(), number % 2 == 0);
            breaker.failed(now, Admit::Probe, "1", CoreFailure::Away, None);
        }
    }

    #[test]
    fn a_probe_that_never_ends_is_followed_by_another() {
        let now = Instant::now();
        let mut breaker = tripped(now);
        assert_eq!(breaker.admit(now + FIRST_PAUSE), Admit::Probe);
        assert_eq!(breaker.admit(now + FIRST_PAUSE + LONGEST_PAUSE), Admit::Probe);
    }

    #[test]
    fn what_was_under_way_when_it_tripped_prolongs_nothing() {
        let now = Instant::now();
        let mut breaker = tripped(now);
        fail(&mut breaker, now + FIRST_PAUSE / 2, 9, CoreFailure::Away);
        assert_eq!(breaker.admit(now + FIRST_PAUSE), Admit::Probe);
    }

    #[test]
    fn a_core_that_asks_for_a_pause_gets_it_at_once() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        let mut fail = |retry_after| {
            breaker.failed(now, Admit::Allowed, "1", CoreFailure::Away, Some(retry_after))
        };
        fail(Duration::from_mins(2));
        fail(Duration::from_hours(9));
        assert_eq!(breaker.admit(now), Admit::Rejected(LONGEST_RETRY_AFTER));
        let mut breaker = Breaker::default();
        breaker.failed(now, Admit::Allowed, "1", CoreFailure::Away, Some(Duration::from_mins(2)));
        assert_eq!(breaker.admit(now), Admit::Rejected(Duration::from_mins(2)));
    }
}
