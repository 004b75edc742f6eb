//! Which events form a group, and which wait for one that is under way.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use uuid::Uuid;

use crate::{
    core::cores::Room,
    event::{
        group::{Group, GroupDone},
        job::{Job, MemberKey},
    },
};

/// A queue for each member that has events here.
#[derive(Default)]
pub(crate) struct MemberQueues {
    /// Groups that can be admitted.
    ready: Vec<Group>,
    /// Where in `ready` the group of a member is.
    forming: HashMap<MemberKey, usize>,
    /// Members that have a group under way.
    busy: HashSet<MemberKey>,
    /// Events whose member has a group under way: they form the next one.
    waiting: HashMap<MemberKey, Vec<Job>>,
}

impl MemberQueues {
    pub(crate) fn take(&mut self, job: Job) {
        let Some(key) = job.key() else {
            let mut group = Group::new(None);
            group.jobs.push(job);
            self.ready.push(group);
            return;
        };
        if self.busy.contains(&key) {
            self.waiting.entry(key).or_default().push(job);
            return;
        }
        let ready = &mut self.ready;
        let place = *self.forming.entry(key.clone()).or_insert_with(|| {
            ready.push(Group::new(Some(key)));
            ready.len() - 1
        });
        ready[place].jobs.push(job);
    }

    pub(crate) fn release(&mut self, done: GroupDone) {
        match done {
            GroupDone::Settled(None) => {}
            GroupDone::Settled(Some(key)) => {
                self.busy.remove(&key);
                for job in self.waiting.remove(&key).unwrap_or_default() {
                    self.take(job);
                }
            }
            // Its member stays busy, and nobody joins: their number would be too old for them.
            GroupDone::ReadAgain(group) => self.ready.push(group),
        }
    }

    /// How many groups can be admitted.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// All groups that can be admitted; their members are busy from here on.
    pub(crate) fn next_batch(&mut self) -> Vec<Group> {
        self.forming.clear();
        let batch = std::mem::take(&mut self.ready);
        self.busy.extend(batch.iter().filter_map(|group| group.key.clone()));
        batch
    }

    /// The campuses of which events wait for a member that is under way.
    pub(crate) fn waiting_campuses(&self) -> HashSet<Uuid> {
        self.waiting.keys().map(|(campus, _)| *campus).collect()
    }

    /// Takes out what waits beyond a campus's room, each with when it had better be back.
    pub(crate) fn take_beyond(&mut self, mut rooms: HashMap<Uuid, Room>) -> Vec<(Job, Duration)> {
        let mut beyond = Vec::new();
        for ((campus, _), jobs) in &mut self.waiting {
            let Some(room) = rooms.get_mut(campus) else { continue };
            let kept = jobs.len().min(room.places);
            room.places -= kept;
            beyond.extend(jobs.drain(kept..).map(|job| (job, room.turn)));
        }
        beyond
    }
}
