//! Faults: what the core does wrong on purpose.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::counters::Endpoint;
use super::dice::Dice;

/// A fault and where it strikes; what is not named is everywhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Only requests of this church: the account's, or the member's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub church_id: Option<String>,
    /// Only requests of this member. On lists [`FaultKind::BadRow`], [`FaultKind::WrongChurch`]
    /// and [`FaultKind::Rewritten`] strike where the member is on the page; the other kinds leave lists alone then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// Only this endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Share of the requests that it strikes, from 0 to 1; the sequence follows from the seed.
    #[serde(default = "always")]
    pub rate: f64,
    /// Strikes that many requests and is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Answers late, by `ms` and up to `jitter_ms` more.
    Latency {
        /// Milliseconds.
        ms: u64,
        /// Milliseconds.
        #[serde(default)]
        jitter_ms: u64,
        /// Looks at the members first and holds the answer back, so that it is old when it comes.
        #[serde(default)]
        stale: bool,
    },
    /// Answers this status.
    Status {
        /// HTTP status.
        status: u16,
        /// Seconds for `Retry-After`.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Answers 429 as the rate limit does.
    RateLimited {
        /// Seconds for `Retry-After`; none: no such header.
        #[serde(default)]
        retry_after: Option<u64>,
        /// A plain string as detail, as some 429 have it.
        #[serde(default)]
        plain: bool,
    },
    /// Answers 307 and leads somewhere else.
    Redirect {
        /// The whole address.
        location: String,
    },
    /// Takes the request and never answers.
    Hang,
    /// Resets the connection instead of answering.
    Reset,
    /// Answers 200 with half of the JSON, well framed.
    TruncatedJson,
    /// Breaks the connection in the middle of the announced body.
    CutBody,
    /// Answers 200 with JSON of another shape.
    UnknownShape,
    /// Answers 200 with this, as a proxy does for a core under maintenance.
    NoJson {
        /// The content; nothing at all unless given.
        #[serde(default)]
        body: String,
    },
    /// The answer to a login says that its token lives so long.
    LongLived {
        /// Seconds, in `expires_in`.
        seconds: u64,
    },
    /// A row that the core cannot render: the page that has it, and its own GET, answer 500.
    BadRow,
    /// Members come back with another church's id.
    WrongChurch {
        /// That church; none: one that does not exist.
        #[serde(default)]
        as_church_id: Option<String>,
    },
    /// Members come back with other fields than they have; where [`Fault::endpoint`] is not named, in lists
    /// and by id.
    Rewritten {
        /// Keys with the values that they come with.
        #[serde(default)]
        set: Map<String, Value>,
        /// Keys that do not come at all.
        #[serde(default)]
        remove: Vec<String>,
    },
    /// The list ends after so many rows, as if there were no more.
    ShortList {
        /// Rows; 0: the list is empty.
        rows: u64,
    },
    /// The list begins again where it ends, for ever.
    Round,
    /// Every page begins where the list does.
    IgnoresSkip,
    /// There is no end to the members that the list brings.
    Endless,
    /// More rows are not given at once.
    LargePage {
        /// So many are.
        rows: u64,
        /// The answer to whoever asks for more.
        status: u16,
    },
    /// Every page begins somewhere else: pages overlap, and rows are missing.
    Shuffled,
    /// Every login is refused, the right password or not.
    NoLogins,
}

impl FaultKind {
    /// Whether it strikes members, by id and on the pages that they are on.
    fn is_of_rows(&self) -> bool {
        matches!(self, Self::BadRow | Self::WrongChurch { .. } | Self::Rewritten { .. })
    }

    /// Whether the list has no end.
    pub(super) fn is_endless(&self) -> bool {
        matches!(self, Self::Round | Self::IgnoresSkip | Self::Endless)
    }
}

/// The church id of [`FaultKind::WrongChurch`] unless it names one.
pub const NO_CHURCH_ID: &str = "00000000-0000-4000-8000-000000000000";

fn always() -> f64 {
    1.0
}

impl Fault {
    /// A fault that strikes every request.
    pub fn everywhere(kind: FaultKind) -> Self {
        Self { church_id: None, member_id: None, endpoint: None, rate: 1.0, times: None, kind }
    }

    /// Only at this endpoint.
    #[must_use]
    pub fn at(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Only for this church.
    #[must_use]
    pub fn of_church(mut self, church_id: impl Into<String>) -> Self {
        self.church_id = Some(church_id.into());
        self
    }

    /// Only for this member.
    #[must_use]
    pub fn of_member(mut self, member_id: impl Into<String>) -> Self {
        self.member_id = Some(member_id.into());
        self
    }

    /// Only for a share of the requests, from 0 to 1.
    #[must_use]
    pub fn with_rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    /// Only for the next `times` requests.
    #[must_use]
    pub fn with_times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    fn concerns(&self, request: &Request<'_>) -> bool {
        let row_fault = self.kind.is_of_rows();
        let kind_fits = match self.kind {
            FaultKind::NoLogins | FaultKind::LongLived { .. } => {
                request.endpoint == Endpoint::Login
            }
            FaultKind::ShortList { .. }
            | FaultKind::Shuffled
            | FaultKind::Round
            | FaultKind::IgnoresSkip
            | FaultKind::Endless
            | FaultKind::LargePage { .. } => request.endpoint == Endpoint::List,
            _ if row_fault => request.endpoint != Endpoint::Login,
            _ => true,
        };
        let member_fits = self.member_id.as_deref().is_none_or(|id| {
            request.member_id == Some(id) || (row_fault && request.endpoint == Endpoint::List)
        });
        kind_fits
            && member_fits
            && self.endpoint.is_none_or(|endpoint| endpoint == request.endpoint)
            // A super admin's list has rows of every church.
            && self.church_id.as_deref().is_none_or(|id| {
                request.church_id == Some(id) || (row_fault && request.church_id.is_none())
            })
    }
}

/// What a fault is matched with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) endpoint: Endpoint,
    /// None where it is not known or, for a super admin, not one.
    pub(super) church_id: Option<&'a str>,
    pub(super) member_id: Option<&'a str>,
}

/// What is done to one request.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Before the core looks at its members.
    pub(super) delay: Duration,
    /// After it has looked.
    pub(super) hold: Duration,
    /// The first fault that strikes instead of, or within, the answer.
    pub(super) strike: Option<Strike>,
}

/// A fault that strikes a request.
#[derive(Clone, Debug)]
pub(super) struct Strike {
    pub(super) kind: FaultKind,
    /// The one member meant.
    pub(super) member_id: Option<String>,
    /// Others of whom the same is true.
    pub(super) others: Vec<String>,
}

impl Strike {
    /// Of two members a page can have both.
    fn join(&mut self, fault: &Fault) {
        if self.kind == FaultKind::BadRow && fault.kind == FaultKind::BadRow {
            self.others.extend(fault.member_id.clone());
        }
    }
}

/// The faults that are switched on.
#[derive(Debug)]
pub(super) struct Faults {
    seed: u64,
    /// So that a request without any fault takes no lock.
    count: AtomicUsize,
    next_id: AtomicU64,
    active: RwLock<Vec<Active>>,
}

#[derive(Debug)]
struct Active {
    id: u64,
    fault: Fault,
    seen: AtomicU64,
    struck: AtomicU64,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            count: AtomicUsize::new(0),
            next_id: AtomicU64::new(1),
            active: RwLock::default(),
        }
    }

    /// Switches a fault on, and answers its number.
    pub(super) fn add(&self, fault: Fault) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.update(|active| {
            let (seen, struck) = (AtomicU64::new(0), AtomicU64::new(0));
            active.push(Active { id, fault, seen, struck });
        });
        id
    }

    /// Switches a fault off; false where there is none of that number.
    pub(super) fn remove(&self, id: u64) -> bool {
        let mut removed = false;
        self.update(|active| {
            let before = active.len();
            active.retain(|entry| entry.id != id);
            removed = active.len() < before;
        });
        removed
    }

    /// Switches everything off.
    pub(super) fn clear(&self) {
        self.update(Vec::clear);
    }

    /// The faults with their numbers, and how many requests each has struck.
    pub(super) fn list(&self) -> Vec<(u64, Fault, u64)> {
        let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
        active
            .iter()
            .map(|entry| (entry.id, entry.fault.clone(), entry.struck.load(Ordering::Relaxed)))
            .collect()
    }

    /// What to do to a request. Latencies add up; of the others the first that strikes counts.
    pub(super) fn plan(&self, request: &Request<'_>) -> Plan {
        let mut plan = Plan::default();
        if self.count.load(Ordering::Acquire) == 0 {
            return plan;
        }
        let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
        for entry in active.iter().filter(|entry| entry.fault.concerns(request)) {
            let latency = matches!(entry.fault.kind, FaultKind::Latency { .. });
            if let Some(strike) = &mut plan.strike
                && !latency
            {
                strike.join(&entry.fault);
                continue;
            }
            let turn = entry.seen.fetch_add(1, Ordering::Relaxed);
            let mut dice = Dice::new(&[self.seed, entry.id, turn]);
            if !dice.chance(entry.fault.rate) || !entry.take_turn() {
                continue;
            }
            if let FaultKind::Latency { ms, jitter_ms, stale } = entry.fault.kind {
                let wait = if stale { &mut plan.hold } else { &mut plan.delay };
                *wait += Duration::from_millis(ms + dice.between(0, jitter_ms));
            } else {
                let (kind, member_id) = (entry.fault.kind.clone(), entry.fault.member_id.clone());
                plan.strike = Some(Strike { kind, member_id, others: Vec::new() });
            }
        }
        plan
    }

    fn update(&self, change: impl FnOnce(&mut Vec<Active>)) {
        let mut active = self.active.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut active);
        self.count.store(active.len(), Ordering::Release);
    }
}

impl Active {
    /// Counts a strike; false when the fault has used up its number of them.
    fn take_turn(&self) -> bool {
        self.struck
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |struck| {
                self.fault.times.is_none_or(|times| struck < times).then_some(struck + 1)
            })
            .is_ok()
    }
}
