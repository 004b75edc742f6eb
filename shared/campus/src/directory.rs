//! An immutable snapshot of all campuses, looked up without a lock and without a database.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc};

use uuid::Uuid;

use crate::Secrets;

/// Webhooks a campus may send each second.
pub type RateLimit = NonZeroU32;

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
    pub secrets: Secrets,
    /// Events a second it may send; none: as many as it likes.
    pub rate_limit: Option<RateLimit>,
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

    /// A campus by its own id.
    pub fn campus(&self, id: Uuid) -> Option<&Campus> {
        self.by_id.get(&id).map(|campus| &**campus)
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
    use super::*;

    fn campus(church: &str) -> Campus {
        Campus {
            id: Uuid::new_v4(),
            core_church_id: church.to_owned(),
            is_enabled: true,
            secrets: Secrets::default(),
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
}
