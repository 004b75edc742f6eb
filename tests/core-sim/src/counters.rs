//! How often each endpoint was asked, what it answered, and how many requests were under way.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// The endpoints of the core API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST {prefix}/auth/login`.
    Login,
    /// `GET {prefix}/members/`.
    List,
    /// `GET {prefix}/members/{id}`.
    Member,
    /// Any other path, redirects included.
    Other,
}

impl Endpoint {
    const ALL: [Self; 4] = [Self::Login, Self::List, Self::Member, Self::Other];
}

/// Counts of the endpoints, since the start or the last reset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// By endpoint.
    pub endpoints: BTreeMap<Endpoint, EndpointCounters>,
    /// The most requests under way at once, by church: single members and lists.
    pub concurrent_max_by_church: BTreeMap<String, u64>,
    /// The most requests under way at once, all together.
    pub concurrent_max: u64,
}

/// Counts of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EndpointCounters {
    /// Requests that came in, answered or not.
    pub requests: u64,
    /// Requests answered, by status.
    pub statuses: BTreeMap<u16, u64>,
    /// The most requests under way at once.
    pub concurrent_max: u64,
}

impl Counters {
    /// Requests that came in at an endpoint.
    pub fn requests(&self, endpoint: Endpoint) -> u64 {
        self.endpoints.get(&endpoint).map_or(0, |counters| counters.requests)
    }

    /// Requests that an endpoint answered with a status.
    pub fn answered(&self, endpoint: Endpoint, status: u16) -> u64 {
        let counters = self.endpoints.get(&endpoint);
        counters.and_then(|counters| counters.statuses.get(&status)).copied().unwrap_or(0)
    }
}

/// The counters at work: atomics, because every request passes through them.
#[derive(Debug)]
pub(super) struct Meter {
    endpoints: [EndpointMeter; Endpoint::ALL.len()],
    churches: Vec<(String, Level)>,
    all: Level,
    /// None where requests of single members are not counted apart.
    members: Option<Mutex<HashMap<String, u64>>>,
}

#[derive(Debug)]
struct EndpointMeter {
    requests: AtomicU64,
    /// By status, from 100 to 599.
    statuses: [AtomicU64; 500],
    level: Level,
}

/// How many are under way, and how many there were at most.
#[derive(Debug, Default)]
pub(super) struct Level {
    now: AtomicU64,
    max: AtomicU64,
}

/// One more under way, until it is dropped.
pub(super) struct UnderWay<'a>(&'a Level);

impl Level {
    pub(super) fn enter(&self) -> UnderWay<'_> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.max.fetch_max(now, Ordering::Relaxed);
        UnderWay(self)
    }

    fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    fn reset(&self) {
        self.max.store(self.now.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Meter {
    pub(super) fn new(church_ids: impl Iterator<Item = String>, count_members: bool) -> Self {
        Self {
            endpoints: std::array::from_fn(|_| EndpointMeter {
                requests: AtomicU64::new(0),
                statuses: std::array::from_fn(|_| AtomicU64::new(0)),
                level: Level::default(),
            }),
            churches: church_ids.map(|id| (id, Level::default())).collect(),
            all: Level::default(),
            members: count_members.then(Mutex::default),
        }
    }

    /// Counts a request that came in.
    pub(super) fn came_in(&self, endpoint: Endpoint) -> [UnderWay<'_>; 2] {
        let meter = &self.endpoints[endpoint as usize];
        meter.requests.fetch_add(1, Ordering::Relaxed);
        [meter.level.enter(), self.all.enter()]
    }

    /// Counts a request of one church, by the church's number.
    pub(super) fn of_church(&self, church: usize) -> Option<UnderWay<'_>> {
        self.churches.get(church).map(|(_, level)| level.enter())
    }

    /// Counts a request of one member.
    pub(super) fn of_member(&self, id: &str) {
        if let Some(members) = &self.members {
            let mut members = members.lock().unwrap_or_else(PoisonError::into_inner);
            match members.get_mut(id) {
                Some(count) => *count += 1,
                None => _ = members.insert(id.to_owned(), 1),
            }
        }
    }

    /// Counts an answer.
    pub(super) fn answered(&self, endpoint: Endpoint, status: u16) {
        let index = usize::from(status).checked_sub(100);
        if let Some(count) = index.and_then(|i| self.endpoints[endpoint as usize].statuses.get(i)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests of one member; 0 too where they are not counted.
    pub(super) fn member_requests(&self, id: &str) -> u64 {
        self.members.as_ref().map_or(0, |members| {
            members.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied().unwrap_or(0)
        })
    }

    pub(super) fn read(&self) -> Counters {
        let endpoints = Endpoint::ALL.iter().map(|endpoint| {
            let meter = &self.endpoints[*endpoint as usize];
            let statuses = (100_u16..).zip(&meter.statuses);
            let statuses = statuses
                .map(|(status, count)| (status, count.load(Ordering::Relaxed)))
                .filter(|(_, count)| *count > 0);
            let counters = EndpointCounters {
                requests: meter.requests.load(Ordering::Relaxed),
                statuses: statuses.collect(),
                concurrent_max: meter.level.max(),
            };
            (*endpoint, counters)
        });
        Counters {
            endpoints: endpoints.collect(),
            concurrent_max_by_church: self
                .churches
                .iter()
                .map(|(id, level)| (id.clone(), level.max()))
                .collect(),
            concurrent_max: self.all.max(),
        }
    }

    /// Counts from 0 again; what is under way stays so.
    pub(super) fn reset(&self) {
        for meter in &self.endpoints {
            meter.requests.store(0, Ordering::Relaxed);
            meter.statuses.iter().for_each(|count| count.store(0, Ordering::Relaxed));
            meter.level.reset();
        }
        self.churches.iter().for_each(|(_, level)| level.reset());
        self.all.reset();
        if let Some(members) = &self.members {
            members.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}
