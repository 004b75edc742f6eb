//! Where the time of a run goes.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// What a run spends its time with. The next pages are fetched and parsed while one is copied, so
/// that together these can be longer than the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waiting for pages of the list, from the request to the last byte.
    Fetch,
    /// Reading pages as JSON, and classifying their rows.
    Parse,
    /// Staging them in Postgres.
    Copy,
    /// Comparing the staged list with the members here.
    Diff,
    /// Creating, asking by id, archiving.
    Apply,
}

impl Phase {
    pub(crate) const ALL: [Self; 5] =
        [Self::Fetch, Self::Parse, Self::Copy, Self::Diff, Self::Apply];

    /// The key in reports, and a metric's label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Parse => "parse",
            Self::Copy => "copy",
            Self::Diff => "diff",
            Self::Apply => "apply",
        }
    }
}

/// How long each phase took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Phases([Duration; Phase::ALL.len()]);

impl Phases {
    pub(crate) fn add(&mut self, phase: Phase, time: Duration) {
        self.0[phase as usize] += time;
    }

    /// In seconds.
    pub(crate) fn seconds(&self, phase: Phase) -> f64 {
        self.0[phase as usize].as_secs_f64()
    }
}

/// Seconds by phase.
impl Serialize for Phases {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Phase::ALL.map(|phase| (phase.as_str(), self.seconds(phase))))
    }
}
