//! What the worker has taken and not yet settled: how many, and how old the oldest is.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use event::{Envelope, History};
use runtime::metrics::{observe, observe_each};

/// Deliveries by when their events were received.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<Deliveries>);

#[derive(Debug, Default)]
struct Deliveries {
    count: usize,
    /// Without those that are replayed, which had come to an end before.
    received: BTreeMap<DateTime<Utc>, usize>,
}

impl Held {
    pub(crate) fn take(&self, envelope: &Envelope, history: &History) {
        let mut held = self.lock();
        held.count += 1;
        if history.replays == 0 {
            *held.received.entry(envelope.received_at).or_default() += 1;
        }
    }

    pub(crate) fn settle(&self, envelope: &Envelope, history: &History) {
        let mut held = self.lock();
        held.count = held.count.saturating_sub(1);
        if history.replays == 0
            && let Some(same) = held.received.get_mut(&envelope.received_at)
        {
            *same -= 1;
            if *same == 0 {
                held.received.remove(&envelope.received_at);
            }
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().count
    }

    /// Seconds since the oldest was received; 0 without any.
    fn oldest_age(&self) -> f64 {
        let received = self.lock().received.first_key_value().map(|(at, _)| *at);
        let age = received.map(|at| (Utc::now() - at).to_std().unwrap_or_default());
        age.unwrap_or_default().as_secs_f64()
    }

    fn lock(&self) -> MutexGuard<'_, Deliveries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows both, whenever the metrics are asked for.
pub(super) fn observe_held(held: &Arc<Held>) {
    let read = Arc::clone(held);
    observe("worker_events_held", "Deliveries taken and not yet settled", move || {
        Some(f64::from(u32::try_from(read.count()).unwrap_or(u32::MAX)))
    });
    let read = Arc::clone(held);
    observe_each(
        "events_oldest_unfinished_age_seconds",
        "Age of the oldest event without an end, by where it is",
        move || vec![(vec![("state", "held".to_owned())], read.oldest_age())],
    );
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use event::EventType;
    use uuid::Uuid;

    use super::*;

    fn received(ago: i64) -> Envelope {
        Envelope {
            schema_version: event::SCHEMA_VERSION,
            delivery_id: Uuid::now_v7(),
            event_id: "e".to_owned(),
            event_type: EventType::MemberUpdated,
            campus_id: Uuid::nil(),
            member_id: Some("m".to_owned()),
            occurred_at: None,
            received_at: Utc::now() - TimeDelta::seconds(ago),
        }
    }

    #[test]
    fn the_oldest_counts_and_a_replay_is_not_old() {
        let (held, first) = (Held::default(), History::default());
        assert!(held.oldest_age().abs() < 1e-9);
        let (old, young) = (received(60), received(5));
        let (replay, replayed) = (received(9000), History { replays: 1, ..first.clone() });
        for (envelope, history) in [(&old, &first), (&young, &first), (&replay, &replayed)] {
            held.take(envelope, history);
        }
        assert!(held.count() == 3 && (60.0..70.0).contains(&held.oldest_age()));
        held.settle(&old, &first);
        assert!((5.0..15.0).contains(&held.oldest_age()));
        held.settle(&young, &first);
        held.settle(&replay, &replayed);
        assert!(held.count() == 0 && held.oldest_age().abs() < 1e-9);
    }
}
