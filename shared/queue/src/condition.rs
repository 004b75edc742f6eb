//! Whether a publisher can publish, as `/readyz` says it: steady while the cause is, over however
//! many connections.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use runtime::Check;

use crate::{error::QueueError, topology::Route};

/// A connection that stood for so long was a good one: its end is the first failure, not one more.
pub(crate) const STEADY: Duration = Duration::from_secs(10);

/// How long a connection must stand, after one that did not, before it is believed: twice as long
/// after each. A confirm is believed at once.
const FIRST_PROOF: Duration = Duration::from_secs(2);
const LONGEST_PROOF: Duration = Duration::from_secs(8);

/// How long a full queue must refuse nothing to be believed to have room, where nobody can count.
const FULL_FOR: Duration = Duration::from_secs(10);

/// What is known of a publisher, told to its check.
pub(crate) struct Condition {
    check: Check,
    /// Whether a confirm would change anything: looked at for each.
    is_in_doubt: AtomicBool,
    state: Mutex<State>,
}

struct State {
    /// Why the last connection ended; none when the present one is believed.
    ended: Option<String>,
    /// Since when the present connection is at work.
    begun: Option<Instant>,
    /// Connections in a row that did not stand.
    failures: u32,
    blocked: bool,
    /// Channels that wait for the broker.
    slow: BTreeSet<u16>,
    full: Option<Full>,
}

/// A queue that refuses everything.
struct Full {
    route: Route,
    last_refused: Instant,
    /// What it held when it was first counted.
    messages: Option<u32>,
}

impl Condition {
    pub(crate) fn new(check: Check) -> Self {
        let state = State {
            ended: None,
            begun: None,
            failures: 0,
            blocked: false,
            slow: BTreeSet::new(),
            full: None,
        };
        Self { check, is_in_doubt: AtomicBool::new(false), state: Mutex::new(state) }
    }

    /// A connection is ready to publish on.
    pub(crate) fn begun(&self) {
        let mut state = self.state();
        state.begun = Some(Instant::now());
        (state.blocked, state.slow) = (false, BTreeSet::new());
        self.believe(&mut state);
    }

    /// The connection has ended.
    pub(crate) fn ended(&self, error: Option<&QueueError>) {
        let mut state = self.state();
        let stood = state.begun.take().is_some_and(|begun| begun.elapsed() >= STEADY);
        state.failures = if stood { 0 } else { state.failures.saturating_add(1) };
        state.ended = error.map(ToString::to_string);
    }

    /// Time has passed.
    pub(crate) fn tick(&self) {
        self.believe(&mut self.state());
    }

    /// Whether the broker takes nothing, for an alarm.
    pub(crate) fn blocked(&self, blocked: bool) {
        let mut state = self.state();
        if state.blocked == blocked {
            return;
        }
        state.blocked = blocked;
        if blocked {
            tracing::warn!("RabbitMQ blocks publishers: an alarm for memory or disk");
        } else {
            tracing::info!("RabbitMQ takes messages again");
        }
        self.show(&state);
    }

    /// Whether a channel waits for the broker longer than a sender would.
    pub(crate) fn slow(&self, channel: u16, slow: bool) {
        let mut state = self.state();
        let changed = if slow { state.slow.insert(channel) } else { state.slow.remove(&channel) };
        if changed {
            self.show(&state);
        }
    }

    /// A queue has refused everything for long.
    pub(crate) fn refused(&self, route: Route) {
        let mut state = self.state();
        let messages = state.full.as_ref().and_then(|full| full.messages);
        state.full = Some(Full { route, last_refused: Instant::now(), messages });
        self.show(&state);
    }

    /// A queue has taken a message.
    pub(crate) fn taken(&self, route: Route) {
        if !self.is_in_doubt.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.state();
        state.full.take_if(|full| full.route == route);
        state.ended = None;
        self.show(&state);
    }

    /// The queue that refuses everything.
    pub(crate) fn full(&self) -> Option<Route> {
        self.state().full.as_ref().map(|full| full.route)
    }

    /// The queue that refuses everything holds so many; none where that cannot be counted.
    pub(crate) fn counted(&self, messages: Option<u32>) {
        let mut state = self.state();
        let has_room = state.full.as_mut().is_some_and(|full| match (messages, full.messages) {
            (Some(now), Some(then)) => now < then,
            (Some(now), None) => {
                full.messages = Some(now);
                false
            }
            (None, _) => full.last_refused.elapsed() > FULL_FOR,
        });
        if has_room {
            state.full = None;
        }
        self.show(&state);
    }

    /// Believes the connection once it has stood for long enough.
    fn believe(&self, state: &mut State) {
        let proof = match state.failures {
            0 => Duration::ZERO,
            failures => FIRST_PROOF.saturating_mul(1 << failures.min(4).saturating_sub(1)),
        };
        if state.begun.is_some_and(|begun| begun.elapsed() >= proof.min(LONGEST_PROOF)) {
            state.ended = None;
        }
        self.show(state);
    }

    /// Tells the check, where there is a connection to speak of; `Link::keep` tells it why there is
    /// none.
    fn show(&self, state: &State) {
        self.is_in_doubt.store(state.ended.is_some() || state.full.is_some(), Ordering::Relaxed);
        if state.begun.is_none() {
            return;
        }
        match state.reason() {
            Some(reason) => self.check.failing(reason),
            None => self.check.well(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reason(&self) -> Option<String> {
        if self.blocked {
            return Some("RabbitMQ blocks publishers: an alarm for memory or disk".to_owned());
        }
        if let Some(full) = &self.full {
            return Some(QueueError::Refusing(full.route.key()).to_string());
        }
        if let Some(ended) = &self.ended {
            return Some(ended.clone());
        }
        (!self.slow.is_empty()).then(|| "RabbitMQ does not answer".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use runtime::Health;

    use super::*;

    fn reason(health: &Health) -> Option<String> {
        health.reasons().remove("rabbitmq")
    }

    #[test]
    fn a_connection_is_believed_at_once_unless_the_last_one_failed_at_once() {
        let health = Health::default();
        let condition = Condition::new(health.check("rabbitmq"));
        condition.begun();
        assert_eq!(reason(&health), None);
        condition.ended(Some(&QueueError::Timeout("a publish".to_owned())));
        condition.begun();
        condition.tick();
        assert!(reason(&health).is_some_and(|reason| reason.contains("a publish")));
        condition.taken(Route::Work);
        assert_eq!(reason(&health), None);
    }

    #[test]
    fn a_full_queue_stays_full_until_it_takes_something_or_holds_less() {
        let health = Health::default();
        let condition = Condition::new(health.check("rabbitmq"));
        condition.begun();
        condition.refused(Route::Work);
        condition.ended(Some(&QueueError::Refusing(Route::Work.key())));
        condition.begun();
        condition.taken(Route::Dead);
        assert!(reason(&health).is_some_and(|reason| reason.contains("refuses every message")));
        condition.counted(Some(5));
        condition.counted(Some(5));
        condition.counted(None);
        assert!(reason(&health).is_some());
        condition.counted(Some(4));
        assert_eq!(reason(&health), None);
        condition.refused(Route::Work);
        condition.taken(Route::Work);
        assert_eq!(reason(&health), None);
    }

    #[test]
    fn whoever_waits_says_so_until_all_are_answered() {
        let health = Health::default();
        let condition = Condition::new(health.check("rabbitmq"));
        condition.begun();
        condition.slow(1, true);
        condition.slow(2, true);
        condition.slow(1, false);
        assert!(reason(&health).is_some());
        condition.slow(2, false);
        assert_eq!(reason(&health), None);
    }
}
