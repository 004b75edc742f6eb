//! A model of the core: members whose version only grows, deleted and restored at times.

use std::sync::Mutex;

/// Few, so that writers meet at the same ones.
pub(super) const MEMBERS: usize = 4;

/// The truth that writers read.
pub(super) struct ModelCore {
    members: Mutex<Vec<(u64, bool)>>,
}

impl ModelCore {
    pub(super) fn new(members: usize) -> Self {
        Self { members: Mutex::new(vec![(0, false); members]) }
    }

    /// Changes a member and answers whether it is deleted now.
    pub(super) fn change(&self, member: usize, deletes: bool) -> bool {
        let mut members = self.members.lock().unwrap();
        let (version, deleted) = &mut members[member];
        *version += 1;
        *deleted = deletes;
        deletes
    }

    /// What a read sees at this instant: the version, and whether the member is deleted.
    pub(super) fn read(&self, member: &str) -> (u64, bool) {
        self.members.lock().unwrap()[member.parse::<usize>().unwrap()]
    }
}
