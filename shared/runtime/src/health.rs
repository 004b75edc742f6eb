//! Whether a program can do its job, said by those who know: each dependency has one [`Check`].

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

#[derive(Default)]
struct Checks {
    /// Why each fails; none for what is well.
    reasons: Mutex<BTreeMap<&'static str, Option<String>>>,
    changed: Notify,
}

/// The readiness of a program: the reasons why it cannot do its job now, by dependency.
#[derive(Clone, Default)]
pub struct Health {
    checks: Arc<Checks>,
}

impl Health {
    /// Adds a dependency, which counts as failing until it is said to be well.
    pub fn check(&self, name: &'static str) -> Check {
        let check = Check { name, checks: Arc::clone(&self.checks) };
        check.failing("not reached yet");
        check
    }

    /// What fails now and why, by dependency; empty when the program is ready. One that has not said
    /// yet what it depends on is only starting: its port may not be there.
    pub fn reasons(&self) -> BTreeMap<&'static str, String> {
        let checks = self.checks.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if checks.is_empty() {
            return BTreeMap::from([("start", "it has not begun to work yet".to_owned())]);
        }
        checks.iter().filter_map(|(name, reason)| Some((*name, reason.clone()?))).collect()
    }

    /// Waits until the program is ready.
    pub async fn until_ready(&self) {
        loop {
            let changed = self.checks.changed.notified();
            if self.reasons().is_empty() {
                return;
            }
            changed.await;
        }
    }

    /// Every dependency, and whether it is well.
    pub(crate) fn states(&self) -> BTreeMap<&'static str, bool> {
        let checks = self.checks.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        checks.iter().map(|(name, reason)| (*name, reason.is_none())).collect()
    }
}

/// One dependency's voice in a program's [`Health`].
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    checks: Arc<Checks>,
}

impl Check {
    /// The dependency does what is asked of it.
    pub fn well(&self) {
        self.set(None);
    }

    /// The dependency fails; `reason` is shown to whoever asks `/readyz`.
    pub fn failing(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    fn set(&self, reason: Option<String>) {
        let mut reasons = self.checks.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.insert(self.name, reason);
        drop(reasons);
        self.checks.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_readiness_is_told() {
        let health = Health::default();
        let (database, broker) = (health.check("database"), health.check("broker"));
        database.well();
        let waiting = tokio::spawn({
            let health = health.clone();
            async move { health.until_ready().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        broker.well();
        waiting.await.unwrap();
    }

    #[test]
    fn a_program_is_ready_when_all_that_it_depends_on_is_well_and_not_before_it_says_what_that_is()
    {
        let health = Health::default();
        assert_eq!(health.reasons().into_keys().collect::<Vec<_>>(), ["start"]);
        let check = health.check("database");
        assert_eq!(health.reasons()["database"], "not reached yet");
        check.well();
        assert!(health.reasons().is_empty());
    }
}
