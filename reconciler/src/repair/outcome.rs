//! Batches that archive nobody and bring nobody back: written, counted, recorded, and what was withheld put down
//! for later.

use std::collections::BTreeMap;

use database::DatabaseError;
use store::{ChangeKind, Effect, Finding, Observation, SyncChange};

use crate::{
    error::RunError,
    repair::{
        linking::Links,
        pending_archives::PendingArchives,
        writer::{Effects, Writer},
    },
    report::counters::RunCounters,
    run::context::Run,
};

/// Why a member is undecided whom the core has shown.
pub(super) const NOT_TAKEN: &str = "Postgres did not take the member's row.";

/// Where the outcomes of a run's batches go.
pub(super) struct Outcomes<'a> {
    pub(super) run: &'a Run,
    pub(super) pending: &'a PendingArchives<'a>,
    pub(super) writer: &'a mut Writer,
    pub(super) counters: &'a mut RunCounters,
}

/// What happened to a member.
pub(super) struct Outcome<'a> {
    pub(super) member: &'a str,
    pub(super) effect: &'a Effect,
    pub(super) is_listed: bool,
}

impl Outcomes<'_> {
    /// Writes a batch. Nothing may be awaited between this and [`Self::count`]: a run that is interrupted then says
    /// what it wrote.
    pub(super) async fn write(&mut self, batch: &[Observation]) -> Result<Effects, RunError> {
        let batch: Vec<&Observation> = batch.iter().collect();
        self.writer.write(self.run, &batch).await
    }

    /// Counts what happened to the members of a batch, and answers samples that are to be recorded.
    pub(super) fn count<'b>(
        &mut self,
        batch: &[Outcome<'b>],
    ) -> BTreeMap<ChangeKind, Vec<&'b str>> {
        let mut samples: BTreeMap<ChangeKind, Vec<&str>> = BTreeMap::new();
        for &Outcome { member, effect, is_listed } in batch {
            let is_changed = effect.withheld.is_some() || effect.kinds().next().is_some();
            self.counters.touched += u64::from(is_listed && is_changed);
            for kind in effect.kinds() {
                let columns = (kind == ChangeKind::Updated).then(|| effect.changed.join(", "));
                if self.counters.count(kind, member, columns.as_deref()) {
                    samples.entry(kind).or_default().push(member);
                }
            }
        }
        samples
    }

    /// Records samples of what was changed.
    pub(super) async fn record(
        &self,
        samples: BTreeMap<ChangeKind, Vec<&str>>,
    ) -> Result<(), DatabaseError> {
        let campus = self.run.campus.id;
        let changes: Vec<SyncChange<'_>> = samples
            .into_iter()
            .flat_map(|(kind, members)| members.into_iter().map(move |member| (kind, member)))
            .map(|(kind, member)| SyncChange {
                campus,
                member,
                kind,
                reason: None,
                is_allowed: false,
            })
            .collect();
        self.writer.record(self.run.client(), &changes).await
    }

    /// Puts down who should be archived or come back, for later; and that nobody is left under the ids whose rows
    /// were taken over.
    pub(super) async fn put_pending<'b>(
        &self,
        decided: impl Iterator<Item = (&'b str, &'b Effect)>,
    ) -> Result<(), DatabaseError> {
        let (mut withheld, mut previous) = (Vec::new(), Vec::new());
        for (member, effect) in decided {
            withheld.extend(effect.withheld.as_ref().map(|change| (member, change)));
            previous.extend(effect.linked.as_ref().and_then(|linked| linked.previous.as_deref()));
        }
        self.pending.add(&withheld).await?;
        self.pending.remove(&previous).await
    }
}

/// An observation of the reconciler: it answers no delivery.
pub(super) fn observation(
    run: &Run,
    links: &Links,
    member: String,
    seen_from: i64,
    finding: Finding,
) -> Observation {
    Observation {
        campus: run.campus.id,
        link: links.of(&member),
        member,
        seen_from,
        first_drawn: seen_from,
        config_version: run.campus.config.synced_version,
        finding,
        occurred_at: None,
        received_at: None,
        entries: Vec::new(),
    }
}
