//! An immutable snapshot of all campuses, looked up without a lock and without a database.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::Secret;

/// Webhooks a campus may send each second.
pub type RateLimit = NonZeroU32;

/// The secret before the last rotation.
#[derive(Debug, Clone)]
pub struct PreviousSecret {
    /// What it was.
    pub secret: Secret,
    /// Until when it still works.
    pub expires_at: DateTime<Utc>,
}

/// A campus, as far as its webhooks are concerned.
#[derive(Debug, Clone)]
pub struct Campus {
    /// FaithTracker's id.
    pub id: Uuid,
    /// The core's id of the church, which its webhooks carry.
    pub core_church_id: String,
    /// Whether its members are synced at all.
    pub is_enabled: bool,
    /// What its sender signs with.
    pub secret: Secret,
    /// Since when; none where the gateway's role may not read that.
    pub secret_set_at: Option<DateTime<Utc>>,
    /// What it signed with before, within the grace of a rotation.
    pub previous_secret: Option<PreviousSecret>,
    /// Events a second it may send; none: as many as it likes.
    pub rate_limit: Option<RateLimit>,
}

impl Campus {
    /// The secrets that are good at `now`: the current one, and the previous within its grace.
    pub fn secrets(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Secret> {
        let previous =
            self.previous_secret.iter().filter(move |previous| now < previous.expires_at);
        std::iter::once(&self.secret).chain(previous.map(|previous| &previous.secret))
    }
}

/// All campuses at one moment.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    by_church: HashMap<String, Arc<Campus>>,
    by_id: HashMap<Uuid, Arc<Campus>>,
}

impl Directory {
    /// Finds the campus that a webhook names: by the core's church id first, by our own id second.
    pub fn find(&self, name: &str) -> Option<&Arc<Campus>> {
        self.by_church.get(name).or_else(|| self.by_id.get(&Uuid::try_parse(name).ok()?))
    }

    /// All campuses, in no order.
    pub fn campuses(&self) -> impl Iterator<Item = &Campus> {
        self.by_id.values().map(|campus| &**campus)
    }

    /// How many campuses there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

impl FromIterator<Campus> for Directory {
    fn from_iter<I: IntoIterator<Item = Campus>>(campuses: I) -> Self {
        let mut directory = Self::default();
        for campus in campuses {
            let campus = Arc::new(campus);
            directory.by_church.insert(campus.core_church_id.clone(), Arc::clone(&campus));
            directory.by_id.insert(campus.id, campus);
        }
        directory
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn campus(church: &str) -> Campus {
        Campus {
            id: Uuid::new_v4(),
            core_church_id: church.to_owned(),
            is_enabled: true,
            secret: Secret::new("current"),
            secret_set_at: None,
            previous_secret: None,
            rate_limit: None,
        }
    }

    #[test]
    fn a_church_id_wins_over_a_campus_id() {
        let first = campus("church-1");
        let second = campus(&first.id.to_string());
        let directory: Directory = [first.clone(), second.clone()].into_iter().collect();
        assert_eq!(directory.find("church-1").unwrap().id, first.id);
        assert_eq!(directory.find(&first.id.to_string()).unwrap().id, second.id);
        assert_eq!(directory.find(&second.id.to_string()).unwrap().id, second.id);
        assert!(directory.find("unknown").is_none());
    }

    #[test]
    fn the_previous_secret_is_good_within_its_grace_only() {
        let now = Utc::now();
        let previous = |expires_at| Campus {
            previous_secret: Some(PreviousSecret { secret: Secret::new("previous"), expires_at }),
            ..campus("c")
        };
        assert_eq!(previous(now + TimeDelta::seconds(1)).secrets(now).count(), 2);
        assert_eq!(previous(now).secrets(now).count(), 1);
    }
}
