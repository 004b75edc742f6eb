//! A few members that a core has shown: asked for again where it is in doubt whether it is well.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Members remembered as readable.
const KNOWN: usize = 4;
/// Between two that are remembered.
const KNOWN_PAUSE: Duration = Duration::from_secs(1);

/// Members that were readable, those first that were not asked for again for longest.
#[derive(Debug, Default)]
pub(crate) struct KnownMembers {
    ids: VecDeque<String>,
    remembered: Option<Instant>,
}

impl KnownMembers {
    pub(crate) fn remember(&mut self, member: &str, now: Instant) {
        if self.remembered.is_some_and(|at| now.saturating_duration_since(at) < KNOWN_PAUSE)
            || self.ids.iter().any(|id| id == member)
        {
            return;
        }
        self.ids.push_front(member.to_owned());
        self.ids.truncate(KNOWN);
        self.remembered = Some(now);
    }

    /// One of them, and another the next time; none of the suspects.
    pub(crate) fn next(&mut self, suspects: &[String]) -> Option<String> {
        let next = self.ids.iter().position(|id| !suspects.contains(id))?;
        let id = self.ids.remove(next)?;
        self.ids.push_back(id.clone());
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_were_readable_are_asked_for_in_turn_unless_they_are_suspected() {
        let (mut known, now) = (KnownMembers::default(), Instant::now());
        assert_eq!(known.next(&[]), None);
        known.remember("a", now);
        known.remember("too soon", now);
        known.remember("b", now + KNOWN_PAUSE);
        let mut ask = |suspects: &[String]| known.next(suspects).unwrap();
        assert_eq!([ask(&[]), ask(&[]), ask(&[])], ["b", "a", "b"]);
        let suspects = ["a".to_owned()];
        assert_eq!([ask(&suspects), ask(&suspects)], ["b", "b"]);
    }

    #[test]
    fn few_are_remembered() {
        let (mut known, mut now) = (KnownMembers::default(), Instant::now());
        for member in 0..100 {
            known.remember(&member.to_string(), now);
            now += KNOWN_PAUSE;
        }
        assert_eq!(known.ids, ["99", "98", "97", "96"]);
    }
}
