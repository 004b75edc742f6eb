//! Archives, and returns from them: the last step, and the only one that hides people or brings them back.
//! Whoever comes here was found gone, inactive, filtered out or active again by id; is let through by the
//! campus's limit or by an operator; is asked for once more, with canaries before and after; and only then changed
//! (rules reconciler-4, reconciler-5 and reconciler-7).

use std::collections::HashSet;

use database::DatabaseError;
use store::{
    ArchiveChange, ArchiveLimit, ArchivedToday, ChangeKind, Finding, Observation, SyncChange,
};

use crate::{
    diff::{Birthdays, Comparison},
    error::RunError,
    repair::{
        canary::Canaries,
        fetch::{self, CoreAnswer},
        linking::Links,
        outcome::{NOT_TAKEN, observation},
        pending_archives::{MOVED, PendingArchive, PendingArchives, PendingCounts},
        writer::{Effects, LiveWriter, Writer},
    },
    report::counters::RunCounters,
    run::context::Run,
    safety,
};

const BOTH: [ChangeKind; 2] = [ChangeKind::Archived, ChangeKind::Unarchived];

/// What the step works with.
pub(super) struct Archiving<'a> {
    pub(super) run: &'a Run,
    pub(super) comparison: &'a Comparison,
    pub(super) links: &'a Links,
    pub(super) writer: &'a mut Writer,
    pub(super) counters: &'a mut RunCounters,
}

impl Archiving<'_> {
    /// Archives whom the core says is gone, and brings back whom it says is active, as far as the limit of a
    /// campus with `active` members lets it.
    pub(super) async fn archive(
        mut self,
        mut pending: PendingArchives<'_>,
        canaries: Option<Canaries>,
        active: u64,
    ) -> Result<(), RunError> {
        if let Some(permit) = &self.run.permit {
            pending.approve(permit.run).await?;
        }
        let counts = pending.counts().await?;
        if counts.all == 0 {
            return Ok(());
        }
        let canaries = match canaries {
            Some(picked) => picked,
            None => Canaries::pick(self.run.client()).await?,
        };
        canaries.check(&self.run.core, &self.run.campus).await?;
        let today = self.archived_today().await?;
        let most =
            store::most_archive_changes(active + today.archived, self.run.campus.archive_limit);
        self.hold(&pending, &over_limit(counts, today, most)).await?;
        self.run.progress.step("archiving", Some(counts.all - self.counters.held()));
        loop {
            let batch = pending.next_batch().await?;
            if batch.is_empty() {
                return Ok(());
            }
            let Some(done) = self.change(&canaries, &batch, most).await? else {
                // Others archived meanwhile. Whom an operator let through is not in the way of that.
                self.hold(&pending, &BOTH).await?;
                continue;
            };
            if let Some(last) = batch[..done].last() {
                pending.done(last);
            }
            self.run.progress.add(done as u64);
        }
    }

    /// What counts towards the limit already.
    async fn archived_today(&self) -> Result<ArchivedToday, DatabaseError> {
        let campus = self.run.campus.id;
        let today = store::archived_today(self.run.client(), &[campus])
            .await
            .map_err(DatabaseError::during("count the archives of the day"))?;
        Ok(today.get(&campus).copied().unwrap_or_default())
    }

    /// Holds everybody of these kinds, and who moved, and says who they are.
    async fn hold(
        &mut self,
        pending: &PendingArchives<'_>,
        kinds: &[ChangeKind],
    ) -> Result<(), DatabaseError> {
        let held = pending.hold(kinds).await?;
        for held in &held {
            self.counters.count(ChangeKind::Held, &held.member, Some(&held.reason));
            self.counters.moved += u64::from(held.reason == MOVED);
        }
        let changes: Vec<SyncChange<'_>> = held
            .iter()
            .map(|held| SyncChange {
                campus: self.run.campus.id,
                member: &held.member,
                kind: ChangeKind::Held,
                reason: Some(&held.reason),
                is_allowed: false,
            })
            .collect();
        self.writer.record(self.run.client(), &changes).await
    }

    /// Changes the first of a batch, or counts what a run would change. Answers how many those were; none where
    /// the limit forbids it after all.
    async fn change(
        &mut self,
        canaries: &Canaries,
        batch: &[PendingArchive],
        most: u64,
    ) -> Result<Option<usize>, RunError> {
        let Writer::Live(writer) = self.writer else {
            for pending in batch {
                let is_archive = pending.kind == ChangeKind::Archived;
                let reason = is_archive.then_some(pending.reason.as_str());
                self.counters.count(pending.kind, &pending.member, reason);
            }
            return Ok(Some(batch.len()));
        };
        let mut birthdays = Birthdays::default();
        let seen_from = self.run.session.draw().await?;
        let members: Vec<&str> = batch.iter().map(|pending| pending.member.as_str()).collect();
        let answers = fetch::answers(self.run, self.counters, &members).await?;
        let asked = answers.len();
        canaries.check(&self.run.core, &self.run.campus).await?;
        let confirmed: Vec<Observation> = batch
            .iter()
            .zip(answers)
            .filter_map(|(pending, answer)| {
                let finding = confirm(pending, answer, &mut birthdays, self.counters)?;
                let member = pending.member.clone();
                Some(observation(self.run, self.links, member, seen_from, finding))
            })
            .collect();
        let Some(effects) = write(self.run, writer, &confirmed, batch, most).await? else {
            return Ok(None);
        };
        let decided = count(self.counters, &confirmed, &effects);
        let client = self.run.client();
        self.writer.remember(client, self.comparison, &decided, &birthdays).await?;
        Ok(Some(asked))
    }
}

/// The kinds that are held: more wait than may be made today.
fn over_limit(counts: PendingCounts, today: ArchivedToday, most: u64) -> Vec<ChangeKind> {
    BOTH.into_iter()
        .zip([(counts.archives, today.archived), (counts.returns, today.unarchived)])
        .filter_map(|(kind, (wanted, made))| safety::is_held(wanted, made, most).then_some(kind))
        .collect()
}

/// What the core said the second time, where that decides anything.
fn confirm(
    pending: &PendingArchive,
    answer: CoreAnswer,
    birthdays: &mut Birthdays,
    counters: &mut RunCounters,
) -> Option<Finding> {
    let why = match answer {
        CoreAnswer::Found(finding, birthday) => {
            birthdays.note(&pending.member, birthday);
            return Some(finding);
        }
        // In this church the member is gone; who says so is the operator.
        CoreAnswer::Moved if pending.is_approved => return Some(Finding::ReadGone),
        CoreAnswer::Moved => MOVED.to_owned(),
        CoreAnswer::Undecided(why) => why,
    };
    counters.undecided.counted(&pending.member, why);
    None
}

/// Writes what was confirmed of a batch, within the limit.
async fn write(
    run: &Run,
    writer: &mut LiveWriter,
    confirmed: &[Observation],
    batch: &[PendingArchive],
    most: u64,
) -> Result<Option<Effects>, RunError> {
    let approved = batch.iter().filter(|pending| pending.is_approved);
    let allowed: HashSet<String> = approved.map(|pending| pending.member.clone()).collect();
    let limit = ArchiveLimit { most_a_day: most, allowed };
    let confirmed: Vec<&Observation> = confirmed.iter().collect();
    writer.write(run, &confirmed, Some(limit)).await
}

/// Counts what was done. Answers whom it decides about.
fn count<'a>(
    counters: &mut RunCounters,
    confirmed: &'a [Observation],
    effects: &Effects,
) -> Vec<&'a str> {
    let mut decided = Vec::with_capacity(confirmed.len());
    for Observation { member, .. } in confirmed {
        let Some(effect) = effects.get(member) else {
            counters.undecided.counted(member, NOT_TAKEN.to_owned());
            continue;
        };
        match &effect.archive {
            Some(ArchiveChange::Archive(reason)) => {
                counters.count(ChangeKind::Archived, member, Some(reason));
            }
            Some(ArchiveChange::Lift) => _ = counters.count(ChangeKind::Unarchived, member, None),
            None => {}
        }
        if !effect.refused {
            decided.push(member.as_str());
        }
    }
    decided
}
