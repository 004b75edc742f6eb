//! Linked, not doubled (rule store-16): a member that was never seen takes over the row of the one person
//! here who has the same phone and name, and was made by hand or is gone from the core under the id that the
//! row has. Any doubt creates.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use database::{Client, Error, Row, Statement, Transaction};
use member::{Country, Person};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::{
    Finding, Observation,
    columns::{Columns, column_list},
    members::Existing,
};

/// Whether a member that was never seen may take over somebody's row.
#[derive(Debug, Clone, Default)]
pub enum LinkPolicy {
    /// It is created.
    #[default]
    Never,
    /// It may.
    Allowed(LinkEvidence),
}

/// What the core was asked about others, to know whether their rows may be taken over.
#[derive(Debug, Clone)]
pub struct LinkEvidence {
    /// For phones here that were written without a country.
    pub country: Country,
    /// The core called these gone, when it was asked after the observation's number was drawn.
    pub gone: Arc<HashSet<String>>,
    /// These it did not.
    pub there: Vec<String>,
}

impl LinkEvidence {
    /// Nothing yet.
    pub fn nothing(country: Country) -> Self {
        Self { country, gone: Arc::default(), there: Vec::new() }
    }
}

/// A row that was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The row, `members.id`.
    pub row: Uuid,
    /// The core's id that it had; none where it was made by hand.
    pub previous: Option<String>,
}

/// More people with one name and phone than this are doubt enough without asking.
const MOST_ASKED: usize = 3;

/// Of so many with one phone, such as a church's own, nobody is looked for.
const MOST_OF_ONE_PHONE: usize = 200;

/// Whoever has the last digits of a phone, in the campus, and what is known of them.
fn find_sql() -> String {
    let columns = column_list();
    format!(
        "SELECT k.place, m.*, coalesce(s.gone, false) AS gone, s.seen_to
         FROM unnest($1::integer[], $2::uuid[], $3::text[]) AS k(place, campus_id, tail)
         CROSS JOIN LATERAL (
             SELECT id, campus_id, external_member_id, {columns}, is_archived, archived_reason,
                    archived_at IS NOT NULL AS has_archive_date
             FROM members WHERE campus_id = k.campus_id AND phone_tail(phone) = k.tail AND phone IS NOT NULL
             LIMIT 200) AS m
         LEFT JOIN LATERAL (
             SELECT gone, seen_to FROM member_sync
             WHERE campus_id = k.campus_id AND external_member_id = m.external_member_id) AS s ON true"
    )
}

/// Where somebody else keeps a row it is not waited for: others of the batch would wait as well.
const LOCK: &str = "
    SELECT id FROM members WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED";

const TAKE: &str = "
    UPDATE members m SET external_member_id = r.member, updated_at = now()
    FROM unnest($1::uuid[], $2::text[]) AS r(id, member) WHERE m.id = r.id";

const RECORD: &str = "
    INSERT INTO member_links (campus_id, member_id, external_member_id, previous_id)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])";

pub(crate) struct LinkStatements {
    pub(crate) find: Statement,
}

impl LinkStatements {
    pub(crate) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self { find: client.prepare(&find_sql()).await? })
    }
}

/// What is to be done about a member that would be created.
#[derive(Debug, Clone)]
pub(crate) enum LinkDecision {
    /// It takes over this row.
    TakeOver(Box<Candidate>),
    /// These must be asked about first.
    AskFirst(Vec<String>),
}

/// A row with the same phone and name.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) existing: Existing,
    /// The core's id of the row.
    pub(crate) member: Option<String>,
    gone: bool,
    /// When something was last applied to it.
    seen_to: Option<i64>,
}

impl Candidate {
    pub(crate) fn linked(&self) -> Linked {
        Linked { row: self.existing.id, previous: self.member.clone() }
    }

    /// Whether the row may be taken over; none where the core must be asked.
    fn is_free(&self, observation: &Observation, asked: &LinkEvidence) -> Option<bool> {
        let Some(member) = &self.member else { return Some(true) };
        // What was applied after our number was drawn may be newer than what the core said to us.
        let is_newer = self.seen_to.is_some_and(|seen_to| seen_to >= observation.seen_from);
        if self.gone || (asked.gone.contains(member) && !is_newer) {
            Some(true)
        } else if asked.there.contains(member) || asked.gone.contains(member) {
            Some(false)
        } else {
            None
        }
    }
}

/// What is believed of an id that the core was not asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnknownIds {
    /// Its member is alive: a reconciliation has asked about all that are not listed.
    Alive,
    /// Nothing: the core must be asked first.
    MustBeAsked,
}

/// The decisions about those among `unseen`, places in the batch, that are not simply created.
pub(crate) async fn decide(
    client: &impl GenericClient,
    find: &Statement,
    observations: &[&Observation],
    unseen: &[usize],
    unknown_ids: UnknownIds,
) -> Result<HashMap<usize, LinkDecision>, Error> {
    let people: HashMap<usize, (Person, &LinkEvidence)> =
        unseen.iter().filter_map(|place| Some((*place, person(observations[*place])?))).collect();
    let mut decisions = HashMap::new();
    if people.is_empty() {
        return Ok(decisions);
    }
    let rows = look_up(client, find, observations, &people).await?;
    let mut of_one_phone: HashMap<i32, usize> = HashMap::new();
    for row in &rows {
        *of_one_phone.entry(row.get("place")).or_default() += 1;
    }
    let mut found: HashMap<usize, Vec<Candidate>> = HashMap::new();
    for row in rows {
        if of_one_phone[&row.get::<_, i32>("place")] >= MOST_OF_ONE_PHONE {
            continue;
        }
        let place = usize::try_from(row.get::<_, i32>("place")).unwrap_or_default();
        let Some((person, asked)) = people.get(&place) else { continue };
        let here = Person::of(row.get("name"), row.get("phone"), asked.country);
        if here.as_ref() == Some(person) {
            found.entry(place).or_default().push(candidate(&row));
        }
    }
    let mut claims: HashMap<Uuid, usize> = HashMap::new();
    for (place, candidates) in found {
        let asked = people[&place].1;
        let Some(decision) = decide_one(candidates, observations[place], asked, unknown_ids) else {
            continue;
        };
        if let LinkDecision::TakeOver(candidate) = &decision {
            *claims.entry(candidate.existing.id).or_default() += 1;
        }
        decisions.insert(place, decision);
    }
    // Two that claim one row are both created.
    decisions.retain(|_, decision| match decision {
        LinkDecision::TakeOver(candidate) => claims[&candidate.existing.id] == 1,
        LinkDecision::AskFirst(_) => true,
    });
    Ok(decisions)
}

fn decide_one(
    candidates: Vec<Candidate>,
    observation: &Observation,
    asked: &LinkEvidence,
    unknown_ids: UnknownIds,
) -> Option<LinkDecision> {
    let (mut free, mut unknown) = (Vec::new(), Vec::new());
    for candidate in candidates {
        match candidate.is_free(observation, asked) {
            Some(true) => free.push(candidate),
            Some(false) => {}
            None => unknown.extend(candidate.member),
        }
    }
    let is_asking = unknown_ids == UnknownIds::MustBeAsked && !unknown.is_empty();
    if is_asking && free.len() < 2 && unknown.len() <= MOST_ASKED {
        return Some(LinkDecision::AskFirst(unknown));
    }
    if is_asking || free.len() != 1 {
        return None;
    }
    free.pop().map(|candidate| LinkDecision::TakeOver(Box::new(candidate)))
}

/// The person whom an observation would create.
fn person(observation: &Observation) -> Option<(Person, &LinkEvidence)> {
    let (LinkPolicy::Allowed(asked), Finding::Read(verdict)) =
        (&observation.link, &observation.finding)
    else {
        return None;
    };
    if !verdict.creates_unknown() {
        return None;
    }
    let profile = verdict.profile()?;
    let (name, phone) = (profile.name.value()?, profile.phone.value()?);
    Some((Person::of(Some(name), Some(phone), asked.country)?, asked))
}

async fn look_up(
    client: &impl GenericClient,
    find: &Statement,
    observations: &[&Observation],
    people: &HashMap<usize, (Person, &LinkEvidence)>,
) -> Result<Vec<Row>, Error> {
    let mut places: Vec<usize> = people.keys().copied().collect();
    places.sort_unstable();
    let numbers: Vec<i32> =
        places.iter().map(|place| i32::try_from(*place).unwrap_or(i32::MAX)).collect();
    let campuses: Vec<Uuid> = places.iter().map(|place| observations[*place].campus).collect();
    let tails: Vec<&str> = places.iter().map(|place| people[place].0.phone_tail()).collect();
    Ok(client.query(find, &[&numbers, &campuses, &tails]).await?)
}

fn candidate(row: &Row) -> Candidate {
    Candidate {
        existing: Existing { id: row.get("id"), columns: Columns::of(row) },
        member: row.get("external_member_id"),
        gone: row.get("gone"),
        seen_to: row.get("seen_to"),
    }
}

/// Takes the rows over, under their locks. Answers the places whose row is another one by now, or is kept by
/// somebody else: nothing was done for them.
pub(crate) async fn take(
    transaction: &Transaction<'_>,
    find: &Statement,
    observations: &[&Observation],
    taken: &HashMap<usize, Candidate>,
) -> Result<HashSet<usize>, Error> {
    let ids: Vec<Uuid> = taken.values().map(|candidate| candidate.existing.id).collect();
    let locked = transaction.query(LOCK, &[&ids]).await?;
    let locked: HashSet<Uuid> = locked.iter().map(|row| row.get(0)).collect();
    // Looked at anew, in a snapshot younger than the locks.
    let places: Vec<usize> = taken.keys().copied().collect();
    let again = decide(transaction, find, observations, &places, UnknownIds::Alive).await?;
    let is_same = |place: &usize, candidate: &Candidate| {
        locked.contains(&candidate.existing.id)
            && matches!(again.get(place), Some(LinkDecision::TakeOver(now))
                if now.linked() == candidate.linked()
                    && now.existing.columns == candidate.existing.columns)
    };
    let missed: HashSet<usize> = taken
        .iter()
        .filter_map(|(place, candidate)| (!is_same(place, candidate)).then_some(*place))
        .collect();
    if missed.is_empty() {
        write(transaction, observations, taken).await?;
    }
    Ok(missed)
}

/// Puts the rows that were taken over beside those that the batch's members have.
pub(crate) fn put_beside(
    existing: &mut HashMap<(Uuid, String), Existing>,
    observations: &[&Observation],
    taken: impl IntoIterator<Item = (usize, Candidate)>,
) -> HashMap<usize, Linked> {
    let mut linked = HashMap::new();
    for (place, candidate) in taken {
        linked.insert(place, candidate.linked());
        let (campus, member) = (observations[place].campus, observations[place].member.clone());
        // The batch may have the id that the row had: nobody is under it any more.
        if let Some(previous) = candidate.member {
            existing.remove(&(campus, previous));
        }
        existing.insert((campus, member), candidate.existing);
    }
    linked
}

async fn write(
    transaction: &Transaction<'_>,
    observations: &[&Observation],
    taken: &HashMap<usize, Candidate>,
) -> Result<(), Error> {
    let places: Vec<usize> = taken.keys().copied().collect();
    let campuses: Vec<Uuid> = places.iter().map(|place| observations[*place].campus).collect();
    let rows: Vec<Uuid> = places.iter().map(|place| taken[place].existing.id).collect();
    let members: Vec<&str> =
        places.iter().map(|place| observations[*place].member.as_str()).collect();
    let previous: Vec<Option<&str>> =
        places.iter().map(|place| taken[place].member.as_deref()).collect();
    transaction.execute(TAKE, &[&rows, &members]).await?;
    transaction.execute(RECORD, &[&campuses, &rows, &members, &previous]).await?;
    Ok(())
}
