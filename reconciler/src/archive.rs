//! Archives: the last step, and the only one that hides people. Whoever comes here was found gone,
//! inactive or filtered out by id; is let through by the brake or by an operator; is asked for once
//! more, with canaries before and after; and only then archived.

use std::collections::HashSet;

use database::DatabaseError;
use store::{Brake, Mandate, Observation};

use crate::{
    ask,
    canary::Canaries,
    diff::{self, Question},
    error::RunError,
    plan,
    repair::{BATCH, observation},
    run::Run,
    tally::Kind,
    write::{Written, write},
};

/// Archives made in the last 24 hours that no operator let through.
const MADE: &str = "
    SELECT count(*) FROM sync_changes WHERE campus_id = $1 AND kind = 'archived' AND NOT allowed
      AND changed_at > now() - interval '24 hours'";

/// Archives whom the core says is gone, as far as the brake lets it.
pub(crate) async fn archive(
    run: &mut Run,
    question: &Question,
    canaries: &Canaries,
    active: u64,
) -> Result<(), RunError> {
    let (allowed, others) = doomed(run).await?;
    if allowed + others == 0 {
        return Ok(());
    }
    canaries.check(&run.core, &run.campus).await?;
    let most = plan::most_archives(active, run.campus.archive_limit);
    let is_held = plan::is_held(others, made(run).await?, most);
    if is_held {
        hold(run).await?;
    }
    run.progress.step("archiving", Some(if is_held { allowed } else { allowed + others }));
    let mut after = String::new();
    loop {
        let rows = run
            .session
            .client()
            .query(
                "SELECT member, allowed, reason FROM doomed
                 WHERE member > $1 AND (allowed OR NOT $2) ORDER BY member LIMIT $3",
                &[&after, &is_held, &BATCH],
            )
            .await
            .map_err(DatabaseError::during("read whom to archive"))?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.get("member");
        let members: Vec<String> = rows.iter().map(|row| row.get("member")).collect();
        if run.log.is_none() {
            for row in &rows {
                run.tally.count(Kind::Archived, row.get("member"), Some(row.get("reason")));
            }
            continue;
        }
        let allowed: HashSet<String> =
            rows.iter().filter(|row| row.get("allowed")).map(|row| row.get("member")).collect();
        let brake = Brake { most_a_day: most, allowed };
        let mut waiting: Vec<&str> = members.iter().map(String::as_str).collect();
        while !waiting.is_empty() {
            let Some(asked) = archive_some(run, question, canaries, &waiting, &brake).await? else {
                return hold(run).await;
            };
            waiting.drain(..asked);
            run.progress.add(asked as u64);
        }
    }
}

/// Asks for the first of `members` once more, then for the canaries, then archives. Answers how many
/// those were; none where the brake forbids it after all.
async fn archive_some(
    run: &mut Run,
    question: &Question,
    canaries: &Canaries,
    members: &[&str],
    brake: &Brake,
) -> Result<Option<usize>, RunError> {
    let seen_from = run.session.draw().await?;
    let findings = ask::findings(&run.core, &run.campus, run.now, members).await?;
    let asked = findings.len();
    run.tally.asked += asked as u64;
    canaries.check(&run.core, &run.campus).await?;
    let batch: Vec<Observation> = members
        .iter()
        .zip(findings)
        .filter_map(|(member, finding)| {
            Some(observation(run, (*member).to_owned(), seen_from, finding?))
        })
        .collect();
    run.tally.undecided += (asked - batch.len()) as u64;
    let mandate = Mandate { archives: Some(brake.clone()), ..run.mandate() };
    let batch: Vec<&Observation> = batch.iter().collect();
    let Written::Done(effects) = write(&mut run.writer, &batch, &mandate).await? else {
        return Ok(None);
    };
    let mut decided = Vec::with_capacity(batch.len());
    for (observation, effect) in batch.iter().zip(&effects) {
        // Whoever was written by somebody else meanwhile is left to them, or to the next night.
        let Some(effect) = effect else {
            run.tally.undecided += 1;
            continue;
        };
        if let Some(reason) = &effect.archived {
            run.tally.count(Kind::Archived, &observation.member, Some(reason));
        }
        if !effect.refused {
            decided.push(observation.member.as_str());
        }
    }
    diff::remember(run.session.client(), question, &decided).await?;
    Ok(Some(asked))
}

/// How many are doomed: those whom an operator let through, and the others.
async fn doomed(run: &Run) -> Result<(u64, u64), RunError> {
    let failed = || DatabaseError::during("count who is gone");
    let client = run.session.client();
    if let Some(permit) = &run.permit {
        client
            .execute(
                "UPDATE doomed SET allowed = true FROM sync_changes s
                 WHERE s.run_id = $1 AND s.kind = 'held' AND s.external_member_id = member",
                &[&permit.run],
            )
            .await
            .map_err(failed())?;
    }
    let row = client
        .query_one(
            "SELECT count(*) FILTER (WHERE allowed), count(*) FILTER (WHERE NOT allowed) FROM doomed",
            &[],
        )
        .await
        .map_err(failed())?;
    Ok((row.get::<_, i64>(0).unsigned_abs(), row.get::<_, i64>(1).unsigned_abs()))
}

async fn made(run: &Run) -> Result<u64, RunError> {
    let row = run
        .session
        .client()
        .query_one(MADE, &[&run.campus.id])
        .await
        .map_err(DatabaseError::during("count the archives of the day"))?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}

/// Holds everybody back whom no operator let through and who is not archived yet, and says who.
async fn hold(run: &mut Run) -> Result<(), RunError> {
    let failed = || DatabaseError::during("put down who is held");
    let client = run.session.client();
    let rows = client
        .query(
            "SELECT d.member, d.reason FROM doomed d
             WHERE NOT allowed AND NOT EXISTS (
                 SELECT FROM sync_changes s
                 WHERE s.run_id = $1 AND s.kind = 'archived' AND s.external_member_id = d.member)
             ORDER BY d.member",
            &[&run.log.unwrap_or_default()],
        )
        .await
        .map_err(failed())?;
    for row in &rows {
        run.tally.count(Kind::Held, row.get("member"), Some(row.get("reason")));
    }
    if let Some(log) = run.log {
        let members: Vec<&str> = rows.iter().map(|row| row.get("member")).collect();
        let reasons: Vec<&str> = rows.iter().map(|row| row.get("reason")).collect();
        client
            .execute(
                "INSERT INTO sync_changes (run_id, campus_id, external_member_id, kind, reason)
                 SELECT $1, $2, r.member, 'held', r.reason
                 FROM unnest($3::text[], $4::text[]) AS r(member, reason) ON CONFLICT DO NOTHING",
                &[&log, &run.campus.id, &members, &reasons],
            )
            .await
            .map_err(failed())?;
    }
    Ok(())
}
