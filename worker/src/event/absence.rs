//! What it means for a member's events that the core answers 404 or 410 for the member: it confirms a delete and
//! what happened before it. For anything else it is a refusal, since a wrong path prefix or a proxy answers the
//! same for members who are there.

use store::Happened;

/// Attempts that an event must have left, after the one that was answered, to be tried again beside a delete: by
/// the second, the delete has come back too and says whether the member is gone.
pub(crate) const ENOUGH_ATTEMPTS: usize = 2;

/// An event whose member the core does not have.
pub(crate) struct Denied {
    pub(crate) is_delete: bool,
    /// Whether it was refused before: it has waited once.
    pub(crate) was_refused: bool,
    pub(crate) happened: Happened,
    /// Attempts that follow this one, counted no further than [`ENOUGH_ATTEMPTS`].
    pub(crate) attempts_left: usize,
}

/// Whether the answer confirms that the member is gone, for each of the events that waited for it; for the others
/// it is a refusal. `tombstone`: when the member went, where that is known already.
///
/// What happened after a delete may have brought the member back, and the answer may be wrong for a moment: then the
/// delete waits with it, once, and nobody who is alive is archived meanwhile. That never makes a dead letter: where too
/// few attempts are left, the answer is believed.
pub(crate) fn confirmed(events: &[Denied], tombstone: Option<Happened>) -> Vec<bool> {
    let deletes = events.iter().filter(|event| event.is_delete).map(|event| event.happened);
    let deletes: Vec<Happened> = deletes.chain(tombstone).collect();
    let is_settled = |event: &Denied| {
        event.is_delete || deletes.iter().any(|delete| event.happened.is_no_later_than(delete))
    };
    let is_confirmed =
        |event| is_settled(event) || (!deletes.is_empty() && event.attempts_left == 0);
    let may_wait = tombstone.is_none()
        && !events.iter().all(is_confirmed)
        && !events.iter().any(|event| event.is_delete && event.was_refused)
        && events.iter().all(|event| event.attempts_left >= ENOUGH_ATTEMPTS);
    events.iter().map(|event| !may_wait && is_confirmed(event)).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    fn at(second: i64) -> Happened {
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(second);
        Happened { occurred_at: Some(at), received_at: Some(at) }
    }

    fn delete(second: i64, attempts_left: usize) -> Denied {
        Denied { is_delete: true, was_refused: false, happened: at(second), attempts_left }
    }

    fn update(second: i64, attempts_left: usize) -> Denied {
        Denied { is_delete: false, was_refused: false, happened: at(second), attempts_left }
    }

    #[test]
    fn a_delete_and_what_happened_before_it_are_confirmed() {
        assert_eq!(confirmed(&[update(1, 2), delete(2, 2)], None), [true, true]);
        assert_eq!(confirmed(&[delete(1, 0)], None), [true]);
        assert_eq!(confirmed(&[update(1, 2), update(3, 2)], Some(at(2))), [true, false]);
    }

    #[test]
    fn without_a_delete_nobody_is_gone() {
        assert_eq!(confirmed(&[update(1, 2), update(2, 0)], None), [false, false]);
    }

    #[test]
    fn a_delete_waits_with_what_happened_after_it() {
        assert_eq!(confirmed(&[update(1, 2), delete(2, 2), update(3, 2)], None), [false; 3]);
        // A later delete speaks for all.
        assert_eq!(confirmed(&[delete(2, 2), update(3, 2), delete(4, 2)], None), [true; 3]);
        // Who is archived already loses nothing.
        assert_eq!(confirmed(&[delete(2, 2), update(3, 2)], Some(at(1))), [true, false]);
    }

    #[test]
    fn a_delete_waits_once() {
        let again = Denied { was_refused: true, ..delete(2, 2) };
        assert_eq!(confirmed(&[again, update(3, 2)], None), [true, false]);
    }

    #[test]
    fn waiting_makes_no_dead_letter() {
        assert_eq!(confirmed(&[delete(2, 0), update(3, 2)], None), [true, false]);
        assert_eq!(confirmed(&[delete(2, 2), update(3, 0)], None), [true, true]);
        // Its last attempt could come before the delete is back.
        assert_eq!(confirmed(&[delete(2, 2), update(3, 1)], None), [true, false]);
    }
}
