//! What a chaos run has to tell.

use std::{fmt, time::Duration};

use super::{check::Rest, inject::Injected, leader::Loss};

/// How a run went that ended well, but for [`Report::complaints`].
#[derive(Debug)]
pub struct Report {
    pub(super) seed: u64,
    pub(super) changed: u64,
    pub(super) injected: Injected,
    pub(super) losses: Vec<Loss>,
    pub(super) rest: Rest,
    /// From the end of the faults to rest.
    pub(super) took: Duration,
    pub(super) writes: i64,
}

impl Report {
    /// Promises that were broken on the way, although everything came right in the end.
    pub fn complaints(&self) -> &[String] {
        &self.injected.complaints
    }

    /// The losses of leaders.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// Events that were accepted.
    pub fn accepted(&self) -> usize {
        self.rest.accepted
    }

    /// Faults that were injected.
    pub fn faults(&self) -> usize {
        self.injected.faults.values().sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, changed, injected, losses, rest, took, writes } = self;
        let Rest { accepted, refused, dropped, letters, told_again, fates } = rest;
        writeln!(formatter, "seed {seed}: {changed} changes in the core")?;
        writeln!(
            formatter,
            "{accepted} events accepted, none lost; {refused} tries refused or unanswered, \
             {dropped} events given up by the sender"
        )?;
        writeln!(formatter, "deliveries: {fates:?}")?;
        writeln!(
            formatter,
            "{letters} dead letters to replay; {told_again} members told of once more"
        )?;
        writeln!(formatter, "{} faults: {:?}", self.faults(), injected.faults)?;
        for Loss { what, at, gap, accepted, refused } in losses {
            let gap = gap.as_secs_f64();
            writeln!(
                formatter,
                "{at}: {what}; no event accepted for {gap:.1} s; then {accepted} tries accepted, \
                 {refused} refused or unanswered"
            )?;
        }
        writeln!(formatter, "{writes} writes checked; rest after {:.1} s", took.as_secs_f64())?;
        for complaint in &injected.complaints {
            writeln!(formatter, "COMPLAINT: {complaint}")?;
        }
        Ok(())
    }
}
