//! Archives, and returns from them: the last step, and the only one that hides people or brings them back.
//! Whoever comes here was found gone, inactive, filtered out or active again by id; is let through by the
//! brake or by an operator; is asked for once more, with canaries before and after; and only then changed.

use std::collections::HashSet;

use database::DatabaseError;
use store::{ArchiveChange, ArchiveLimit, ChangeKind, Finding, Observation, WriteScope};

use crate::{
    diff::{self, Birthdays, Question},
    error::RunError,
    repair::{
        apply::{NOT_TAKEN, observation},
        canary::Canaries,
        fetch::{self, Answer},
        pending_archives::{self, MOVED, Pending},
        write::{BatchResult, write},
    },
    run::reconcile::Run,
    safety,
};

/// Archives, and returns, of the last 24 hours that no operator let through.
const MADE: &str = "
    SELECT count(*) FILTER (WHERE kind = 'archived'), count(*) FILTER (WHERE kind = 'unarchived')
    FROM sync_changes
    WHERE campus_id = $1 AND kind IN ('archived', 'unarchived') AND NOT allowed
      AND changed_at > now() - interval '24 hours'";

const ALL: [&str; 2] = ["archived", "unarchived"];

/// Archives whom the core says is gone, and brings back whom it says is active, as far as the brake lets it.
pub(crate) async fn archive(
    run: &mut Run,
    question: &Question,
    canaries: Option<Canaries>,
    active: u64,
) -> Result<(), RunError> {
    let weight = pending_archives::weigh(run).await?;
    if weight.all == 0 {
        return Ok(());
    }
    let canaries = match canaries {
        Some(picked) => picked,
        None => Canaries::pick(run.session.client()).await?,
    };
    canaries.check(&run.core, &run.campus).await?;
    let made = made(run).await?;
    let most = store::most_archive_changes(active + made.0, run.campus.archive_limit);
    let held: Vec<&str> = ALL
        .into_iter()
        .zip([(weight.archives, made.0), (weight.returns, made.1)])
        .filter_map(|(kind, (wanted, made))| safety::is_held(wanted, made, most).then_some(kind))
        .collect();
    pending_archives::hold(run, &held).await?;
    run.progress.step("archiving", Some(weight.all - run.tally.held()));
    loop {
        let batch = pending_archives::next(run).await?;
        if batch.is_empty() {
            return Ok(());
        }
        let done = if run.log.is_none() {
            for pending in &batch {
                let reason =
                    (pending.kind == ChangeKind::Archived).then_some(pending.reason.as_str());
                run.tally.count(pending.kind, &pending.member, reason);
            }
            batch.len()
        } else if let Some(asked) = archive_some(run, question, &canaries, &batch, most).await? {
            asked
        } else {
            // Others archived meanwhile. Whom an operator let through is not in the way of that.
            pending_archives::hold(run, &ALL).await?;
            0
        };
        let members: Vec<&str> = batch[..done].iter().map(|p| p.member.as_str()).collect();
        pending_archives::done(run, &members).await?;
        run.progress.add(done as u64);
    }
}

/// Asks for the first of a batch once more, then for the canaries, then changes them. Answers how many
/// those were; none where the brake forbids it after all.
async fn archive_some(
    run: &mut Run,
    question: &Question,
    canaries: &Canaries,
    pending: &[Pending],
    most: u64,
) -> Result<Option<usize>, RunError> {
    let seen_from = run.session.draw().await?;
    let members: Vec<&str> = pending.iter().map(|pending| pending.member.as_str()).collect();
    let answers = fetch::answers(run, &members).await?;
    let asked = answers.len();
    canaries.check(&run.core, &run.campus).await?;
    let mut birthdays = Birthdays::default();
    let mut batch = Vec::with_capacity(asked);
    for (pending, answer) in pending.iter().zip(answers) {
        let finding = match answer {
            Answer::Found(finding, birthday) => {
                birthdays.note(&pending.member, birthday);
                finding
            }
            // In this church the member is gone; who says so is the operator.
            Answer::Moved if pending.is_allowed => Finding::ReadGone,
            Answer::Moved => {
                run.tally.undecided.counted(&pending.member, MOVED.to_owned());
                continue;
            }
            Answer::Undecided(why) => {
                run.tally.undecided.counted(&pending.member, why);
                continue;
            }
        };
        batch.push(observation(run, pending.member.clone(), seen_from, finding));
    }
    let allowed = pending.iter().filter(|pending| pending.is_allowed);
    let allowed: HashSet<String> = allowed.map(|pending| pending.member.clone()).collect();
    let limit = ArchiveLimit { most_a_day: most, allowed };
    let scope = WriteScope { archives: Some(limit), ..run.write_scope() };
    let batch: Vec<&Observation> = batch.iter().collect();
    let BatchResult::Done(effects) = write(run, &batch, &scope).await? else {
        return Ok(None);
    };
    let mut decided = Vec::with_capacity(batch.len());
    for observation in &batch {
        let Some(effect) = effects.get(&observation.member) else {
            run.tally.undecided.counted(&observation.member, NOT_TAKEN.to_owned());
            continue;
        };
        match &effect.archive {
            Some(ArchiveChange::Archive(reason)) => {
                run.tally.count(ChangeKind::Archived, &observation.member, Some(reason));
            }
            Some(ArchiveChange::Lift) => {
                run.tally.count(ChangeKind::Unarchived, &observation.member, None);
            }
            None => {}
        }
        if !effect.refused {
            decided.push(observation.member.as_str());
        }
    }
    diff::remember(run.session.client(), question, &decided, &birthdays).await?;
    Ok(Some(asked))
}

async fn made(run: &Run) -> Result<(u64, u64), RunError> {
    let row = run
        .session
        .client()
        .query_one(MADE, &[&run.campus.id])
        .await
        .map_err(DatabaseError::during("count the archives of the day"))?;
    let count = |column: usize| row.get::<_, i64>(column).unsigned_abs();
    Ok((count(0), count(1)))
}
