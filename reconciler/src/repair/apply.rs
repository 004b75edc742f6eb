//! Everything that is repaired without archiving anybody or bringing anybody back.

use std::collections::{BTreeMap, HashMap, VecDeque};

use database::{DatabaseError, Row};
use member::{Field, Photo, Profile, Verdict};
use store::{ChangeKind, Effect, Finding, Observation};

use crate::{
    diff::{self, Birthdays, Question},
    error::RunError,
    repair::{
        fetch::{self, Answer},
        pending_archives,
        write::{BatchResult, write},
    },
    report::sync_log,
    run::reconcile::Run,
};

/// Members in one transaction, as in the worker.
pub(crate) const BATCH: i64 = 256;
/// Why a member is undecided whom the core has shown.
pub(crate) const NOT_TAKEN: &str = "Postgres did not take the member's row.";

/// How often a member is read again because somebody else wrote it meanwhile.
const READS: usize = 3;

/// What photos may weigh that are written together, in bytes; a single one may weigh more.
pub(crate) const HEAVIEST_BATCH: usize = 16 * 1024 * 1024;

/// The next rows in the list of members who were never heard of, with their photos: `$2` of them, fewer where
/// the photos together are heavier than `$3`.
const UNSEEN: &str = "
    SELECT * FROM (
        SELECT batch.*, row_number() OVER in_order AS number,
               coalesce(sum(octet_length(image)) OVER in_order, 0) AS weight
        FROM (
            SELECT l.*, p.image FROM candidates c JOIN listed l ON l.member = c.member
            LEFT JOIN LATERAL (SELECT image FROM listed_photos p
                               WHERE p.member = l.member AND p.sha256 = l.photo LIMIT 1) AS p ON true
            WHERE c.reason = 'unseen' AND c.member > $1 ORDER BY c.member LIMIT $2
        ) AS batch
        WINDOW in_order AS (ORDER BY member)
    ) AS weighed
    WHERE number = 1 OR weight <= $3 ORDER BY member";

const DOUBTFUL: &str = "
    SELECT member, reason FROM candidates
    WHERE reason <> 'unseen' AND (reason, member) > ($1, $2) ORDER BY reason, member LIMIT $3";

/// Creates the members that were never heard of, from their rows in the list.
pub(crate) async fn create(run: &mut Run, number: u64) -> Result<(), RunError> {
    run.progress.step("creating", Some(number));
    let heaviest = i64::try_from(HEAVIEST_BATCH).unwrap_or(i64::MAX);
    let mut after = String::new();
    loop {
        let rows = run
            .session
            .client()
            .query(UNSEEN, &[&after, &BATCH, &heaviest])
            .await
            .map_err(DatabaseError::during("read the new members"))?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.get("member");
        let batch: Vec<Observation> = rows
            .iter()
            .map(|row| observation(run, row.get("member"), row.get("seen_from"), listed(row)))
            .collect();
        let done = effects(run, &batch).await?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for (observation, done) in batch.iter().zip(&done) {
            match done {
                Ok(effect) => outcomes.push((observation.member.as_str(), effect, true)),
                Err(why) => run.tally.undecided.member(&observation.member, why.clone(), true),
            }
        }
        settle(run, &outcomes).await?;
        let effects = outcomes.iter().map(|(member, effect, _)| (*member, *effect));
        put_pending(run, effects).await?;
        run.progress.add(rows.len() as u64);
    }
}

/// Asks for every other candidate by id and writes what the core says of them; who should be archived, or
/// come back, is put down as pending.
pub(crate) async fn decide(
    run: &mut Run,
    question: &Question,
    number: u64,
) -> Result<(), RunError> {
    run.progress.step("asking by id", Some(number));
    let mut after = (String::new(), String::new());
    loop {
        let rows = run
            .session
            .client()
            .query(DOUBTFUL, &[&after.0, &after.1, &BATCH])
            .await
            .map_err(DatabaseError::during("read the candidates"))?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = (last.get("reason"), last.get("member"));
        let candidates: Vec<Candidate> = rows
            .iter()
            .map(|row| Candidate {
                id: row.get("member"),
                is_listed: row.get::<_, &str>("reason") == "doubtful",
            })
            .collect();
        let mut birthdays = Birthdays::default();
        let effects = read_and_write(run, &candidates, &mut birthdays).await?;
        let decided = candidates.iter().zip(&effects);
        let decided = decided
            .filter_map(|(candidate, effect)| Some((candidate.id.as_str(), effect.as_ref()?)));
        put_pending(run, decided).await?;
        if run.log.is_some() {
            let decided: Vec<&str> = candidates
                .iter()
                .zip(&effects)
                .filter(|(_, effect)| effect.as_ref().is_some_and(|e| e.withheld.is_none()))
                .map(|(candidate, _)| candidate.id.as_str())
                .collect();
            diff::remember(run.session.client(), question, &decided, &birthdays).await?;
        }
        run.progress.add(rows.len() as u64);
    }
}

/// A member to be asked for by id.
struct Candidate {
    id: String,
    is_listed: bool,
}

/// Reads members by id and writes what the core says, again where somebody else wrote meanwhile, and
/// counts what was written. None for the undecided.
async fn read_and_write(
    run: &mut Run,
    candidates: &[Candidate],
    birthdays: &mut Birthdays,
) -> Result<Vec<Option<Effect>>, RunError> {
    let mut effects: Vec<Option<Effect>> = vec![None; candidates.len()];
    // By their places in the batch, with how often each was read.
    let mut waiting: VecDeque<(usize, usize)> =
        (0..candidates.len()).map(|place| (place, 0)).collect();
    while !waiting.is_empty() {
        let seen_from = run.session.draw().await?;
        let ids: Vec<&str> =
            waiting.iter().map(|(place, _)| candidates[*place].id.as_str()).collect();
        let answers = fetch::answers(run, &ids).await?;
        let (mut read, mut batch, mut moved) = (Vec::new(), Vec::new(), Vec::new());
        let asked: Vec<(usize, usize)> = waiting.drain(..answers.len()).collect();
        if run.log.is_none() {
            // What a run would have written down.
            run.links.note(ids.iter().copied().zip(&answers));
        }
        for ((place, reads), answer) in asked.into_iter().zip(answers) {
            let Candidate { id, is_listed } = &candidates[place];
            match answer {
                Answer::Found(finding, birthday) => {
                    birthdays.note(id, birthday);
                    read.push((place, reads + 1, finding.is_gone()));
                    batch.push(observation(run, id.clone(), seen_from, finding));
                }
                Answer::Moved => {
                    effects[place] = Some(Effect::default());
                    moved.push(id.as_str());
                }
                Answer::Undecided(why) => run.tally.undecided.member(id, why, *is_listed),
            }
        }
        pending_archives::put_moved(run, &moved).await?;
        let mut written = Vec::new();
        let done = self::effects(run, &batch).await?;
        for ((place, reads, is_gone), done) in read.into_iter().zip(done) {
            let Candidate { id, is_listed } = &candidates[place];
            match done {
                Ok(effect) if effect.refused && reads < READS => waiting.push_back((place, reads)),
                // Whoever is written again and again is in good hands: webhooks bring newer reads.
                Ok(effect) if effect.refused => {
                    effects[place] = Some(Effect::superseded());
                }
                Ok(effect) => {
                    let is_there = !is_gone && !effect.superseded && effect.withheld.is_none();
                    if is_there && !is_listed {
                        run.tally.undecided.unlisted(id);
                    }
                    effects[place] = Some(effect);
                    written.push(place);
                }
                Err(why) => run.tally.undecided.member(id, why, *is_listed),
            }
        }
        let outcomes: Vec<Outcome<'_>> = written
            .into_iter()
            .filter_map(|place| {
                let Candidate { id, is_listed } = &candidates[place];
                Some((id.as_str(), effects[place].as_ref()?, *is_listed))
            })
            .collect();
        settle(run, &outcomes).await?;
    }
    Ok(effects)
}

/// Writes a batch that archives nobody and brings nobody back, or reckons what it would do. Nothing may be
/// awaited between this and counting it: a run that is interrupted then says what it wrote.
async fn effects(run: &mut Run, batch: &[Observation]) -> Result<Vec<Done>, RunError> {
    let batch: Vec<&Observation> = batch.iter().collect();
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let mut effects = if run.log.is_none() {
        run.writer
            .preview(&batch)
            .await
            .map_err(DatabaseError::during("compare members with the core's"))?
    } else {
        let scope = run.write_scope();
        match write(run, &batch, &scope).await? {
            BatchResult::Done(effects) => effects,
            BatchResult::LimitExceeded => HashMap::new(),
        }
    };
    let effect = |o: &&Observation| effects.remove(&o.member).ok_or_else(|| NOT_TAKEN.to_owned());
    Ok(batch.iter().map(effect).collect())
}

/// What was done about a member; why nothing could be.
type Done = Result<Effect, String>;

/// A member, what happened to it, and whether it is listed.
type Outcome<'a> = (&'a str, &'a Effect, bool);

/// Counts what happened to the members of a batch, and records samples.
async fn settle(run: &mut Run, batch: &[Outcome<'_>]) -> Result<(), RunError> {
    let mut samples: BTreeMap<ChangeKind, Vec<&str>> = BTreeMap::new();
    for &(member, effect, is_listed) in batch {
        let is_changed = effect.withheld.is_some() || effect.kinds().next().is_some();
        run.tally.touched += u64::from(is_listed && is_changed);
        for kind in effect.kinds() {
            let columns = (kind == ChangeKind::Updated).then(|| effect.changed.join(", "));
            if run.tally.count(kind, member, columns.as_deref()) {
                samples.entry(kind).or_default().push(member);
            }
        }
    }
    if let Some(log) = run.log {
        for (kind, members) in samples {
            sync_log::record(run.session.client(), log, run.campus.id, kind, &members).await?;
        }
    }
    Ok(())
}

/// Puts down who should be archived or come back, for later; and that nobody is left under the ids whose rows
/// were taken over.
async fn put_pending<'a>(
    run: &Run,
    decided: impl Iterator<Item = (&'a str, &'a Effect)>,
) -> Result<(), RunError> {
    let (mut withheld, mut previous) = (Vec::new(), Vec::new());
    for (member, effect) in decided {
        withheld.extend(effect.withheld.as_ref().map(|change| (member, change)));
        previous.extend(effect.linked.as_ref().and_then(|linked| linked.previous.as_deref()));
    }
    pending_archives::put(run, &withheld).await?;
    Ok(pending_archives::drop(run, &previous).await?)
}

/// An observation of the reconciler: it answers no delivery.
pub(crate) fn observation(
    run: &Run,
    member: String,
    seen_from: i64,
    finding: Finding,
) -> Observation {
    Observation {
        campus: run.campus.id,
        link: run.links.of(run, &member),
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

/// What a row of the list says of a member who was never heard of.
fn listed(row: &Row) -> Finding {
    let text = |column: &str| field(row.get::<_, Option<String>>(column));
    let photo = row.get::<_, Option<Vec<u8>>>("image").and_then(|image| Photo::of(image).ok());
    let profile = Profile {
        name: text("name"),
        phone: text("phone"),
        gender: text("gender"),
        birth_date: field(row.get("birth_date")),
        age: field(row.get("age")),
        category: text("category"),
        photo_url: text("photo_url"),
        // One that was not staged comes with the id, on another night.
        photo: photo.map_or(Field::Absent, Field::Value),
        photo_refusal: None,
        unreadable: Vec::new(),
    };
    match row.get("standing") {
        "i" => Verdict::Inactive(profile).into(),
        _ => Verdict::Active(profile).into(),
    }
}

fn field<T>(value: Option<T>) -> Field<T> {
    value.map_or(Field::Null, Field::Value)
}
