//! What the guarded write would do, for a dry run: nothing is locked, and nothing written.

use std::collections::{HashMap, HashSet};

use database::{Client, Error};
use uuid::Uuid;

use crate::{
    Effect, Finding, Observation,
    decide::decide,
    link::{self, LinkDecision, LinkStatements, Linked, UnknownIds},
    members::{self, Existing},
    photos::{self, PhotoChange},
};

/// Who of a batch was ever heard of.
const HEARD_OF: &str = "
    SELECT s.campus_id, s.external_member_id FROM unnest($1::uuid[], $2::text[]) AS k(campus_id, member_id)
    JOIN member_sync s ON s.campus_id = k.campus_id AND s.external_member_id = k.member_id";

/// What a batch of one campus would do, by member; see [`crate::SyncWriter::preview`].
pub(crate) async fn preview(
    client: &Client,
    batch: &[&Observation],
) -> Result<HashMap<String, Effect>, Error> {
    let mut existing = members::peek(client, batch).await?;
    let mut linked = preview_links(client, batch, &mut existing).await?;
    let row =
        |observation: &Observation| existing.get(&(observation.campus, observation.member.clone()));
    let photos: Vec<PhotoChange<'_>> = batch
        .iter()
        .filter_map(|observation| {
            let Finding::Read(verdict) = &observation.finding else { return None };
            let photo = &verdict.profile()?.photo;
            Some(PhotoChange { campus: observation.campus, member: row(observation)?.id, photo })
        })
        .collect();
    let photos: HashSet<Uuid> =
        photos::differing(client, &photos).await?.iter().map(|change| change.member).collect();
    Ok(batch
        .iter()
        .enumerate()
        .map(|(place, observation)| {
            let row = row(observation);
            let columns = row.map(|row| &row.columns);
            let mut decision = decide(columns, &observation.finding);
            let mut effect = Effect::of(columns, &mut decision, linked.remove(&place), true);
            if row.is_some_and(|row| photos.contains(&row.id)) {
                effect.note_photo();
            }
            (observation.member.clone(), effect)
        })
        .collect())
}

/// The rows that would be taken over, put beside those that the batch's members have.
async fn preview_links(
    client: &Client,
    batch: &[&Observation],
    existing: &mut HashMap<(Uuid, String), Existing>,
) -> Result<HashMap<usize, Linked>, Error> {
    let campuses: Vec<Uuid> = batch.iter().map(|observation| observation.campus).collect();
    let members: Vec<&str> = batch.iter().map(|observation| observation.member.as_str()).collect();
    let rows = client.query(HEARD_OF, &[&campuses, &members]).await?;
    let heard_of: HashSet<(Uuid, String)> =
        rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let key = |place: usize| (batch[place].campus, batch[place].member.clone());
    let unseen: Vec<usize> = (0..batch.len())
        .filter(|place| {
            let key = key(*place);
            !heard_of.contains(&key) && !existing.contains_key(&key)
        })
        .collect();
    let find = LinkStatements::prepare(client).await?.find;
    let decisions = link::decide(client, &find, batch, &unseen, UnknownIds::Alive).await?;
    let taken = decisions.into_iter().filter_map(|(place, decision)| match decision {
        LinkDecision::TakeOver(candidate) => Some((place, *candidate)),
        LinkDecision::AskFirst(_) => None,
    });
    Ok(link::put_beside(existing, batch, taken))
}
