//! Members that were never heard of, created from their rows in the list. They are the only ones of whom a list is
//! believed (rule reconciler-2): nothing of theirs is here that it could spoil.

use database::{DatabaseError, Row};
use member::{Field, Photo, Profile, Verdict};
use store::{Finding, Observation, read_column};

use crate::{
    error::RunError,
    repair::{
        batches::{Batches, HEAVIEST_BATCH},
        linking::Links,
        outcome::{NOT_TAKEN, Outcome, Outcomes, observation},
    },
};

/// Their rows, with their photos: fewer where the photos together are heavier than `$4`.
const UNSEEN: &str = "
    SELECT * FROM (
        SELECT batch.*, row_number() OVER in_order AS number,
               coalesce(sum(octet_length(image)) OVER in_order, 0) AS weight
        FROM (
            SELECT c.reason, l.*, p.image FROM candidates c JOIN listed l ON l.member = c.member
            LEFT JOIN LATERAL (SELECT image FROM listed_photos p
                               WHERE p.member = l.member AND p.sha256 = l.photo LIMIT 1) AS p ON true
            WHERE c.reason = 'unseen' AND (c.reason, c.member) > ($1, $2)
            ORDER BY c.reason, c.member LIMIT $3
        ) AS batch
        WINDOW in_order AS (ORDER BY member)
    ) AS weighed
    WHERE number = 1 OR weight <= $4 ORDER BY member";

/// Creates them; `number` is how many there are.
pub(super) async fn create(
    outcomes: &mut Outcomes<'_>,
    links: &Links,
    number: u64,
) -> Result<(), RunError> {
    let run = outcomes.run;
    run.progress.step("creating", Some(number));
    let heaviest = i64::try_from(HEAVIEST_BATCH).unwrap_or(i64::MAX);
    let mut batches = Batches::of(UNSEEN);
    loop {
        let rows = batches
            .read(run.client(), &[&heaviest])
            .await
            .map_err(DatabaseError::during("read the new members"))?;
        let Some(last) = rows.last() else { return Ok(()) };
        batches.pass(last.get("reason"), last.get("member"));
        let batch: Vec<Observation> = rows
            .iter()
            .map(|row| {
                observation(run, links, row.get("member"), row.get("seen_from"), listed(row))
            })
            .collect();
        create_batch(outcomes, &batch).await?;
        run.progress.add(rows.len() as u64);
    }
}

async fn create_batch(outcomes: &mut Outcomes<'_>, batch: &[Observation]) -> Result<(), RunError> {
    let effects = outcomes.write(batch).await?;
    let mut written = Vec::with_capacity(batch.len());
    for Observation { member, .. } in batch {
        match effects.get(member) {
            Some(effect) => written.push(Outcome { member, effect, is_listed: true }),
            None => outcomes.counters.undecided.member(member, NOT_TAKEN.to_owned(), true),
        }
    }
    let samples = outcomes.count(&written);
    outcomes.record(samples).await?;
    let decided = written.iter().map(|outcome| (outcome.member, outcome.effect));
    Ok(outcomes.put_pending(decided).await?)
}

/// What a row of the list says of a member who was never heard of.
fn listed(row: &Row) -> Finding {
    let photo = row.get::<_, Option<Vec<u8>>>("image").and_then(|image| Photo::of(image).ok());
    let mut profile = Profile::of_columns(|column| read_column(row, column));
    // One that was not staged comes with the id, on another night.
    profile.photo = photo.map_or(Field::Absent, Field::Value);
    match row.get("state") {
        "i" => Verdict::Inactive(profile).into(),
        _ => Verdict::Active(profile).into(),
    }
}
