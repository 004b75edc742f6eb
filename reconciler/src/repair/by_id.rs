//! Everybody else who differs: asked for by id, and written as the core says.

use std::collections::{HashMap, VecDeque};

use database::DatabaseError;
use store::{Effect, Observation};

use crate::{
    diff::{Birthdays, Comparison},
    error::RunError,
    repair::{
        batches::Batches,
        fetch::{self, CoreAnswer},
        linking::Links,
        outcome::{NOT_TAKEN, Outcome, Outcomes, observation},
        writer::Writer,
    },
};

/// How often a member is read again because somebody else wrote it meanwhile.
const READS: usize = 3;

const DOUBTFUL: &str = "
    SELECT reason, member FROM candidates
    WHERE reason <> 'unseen' AND (reason, member) > ($1, $2) ORDER BY reason, member LIMIT $3";

/// A member to be asked for by id.
struct Candidate {
    id: String,
    is_listed: bool,
}

/// Asks for every candidate and writes what the core says of them; who should be archived, or come back, is put
/// down as pending. `number` is how many there are.
pub(super) async fn decide(
    outcomes: &mut Outcomes<'_>,
    links: &mut Links,
    comparison: &Comparison,
    number: u64,
) -> Result<(), RunError> {
    let run = outcomes.run;
    run.progress.step("asking by id", Some(number));
    let mut batches = Batches::of(DOUBTFUL);
    loop {
        let rows = batches
            .read(run.client(), &[])
            .await
            .map_err(DatabaseError::during("read the candidates"))?;
        let Some(last) = rows.last() else { return Ok(()) };
        batches.pass(last.get("reason"), last.get("member"));
        let candidates: Vec<Candidate> = rows
            .iter()
            .map(|row| Candidate {
                id: row.get("member"),
                is_listed: row.get::<_, &str>("reason") == "doubtful",
            })
            .collect();
        let mut birthdays = Birthdays::default();
        let effects = read_and_write(outcomes, links, &candidates, &mut birthdays).await?;
        outcomes.put_pending(effects.iter().map(|(member, effect)| (*member, effect))).await?;
        let is_decided = |effect: &Effect| effect.withheld.is_none();
        let decided = effects.iter().filter(|(_, effect)| is_decided(effect));
        let decided: Vec<&str> = decided.map(|(member, _)| *member).collect();
        outcomes.writer.remember(run.client(), comparison, &decided, &birthdays).await?;
        run.progress.add(rows.len() as u64);
    }
}

/// Reads members by id and writes what the core says, again where somebody else wrote meanwhile, and counts what
/// was written. The undecided are missing in the answer.
async fn read_and_write<'a>(
    outcomes: &mut Outcomes<'_>,
    links: &mut Links,
    candidates: &'a [Candidate],
    birthdays: &mut Birthdays,
) -> Result<HashMap<&'a str, Effect>, RunError> {
    let run = outcomes.run;
    let mut effects: HashMap<&str, Effect> = HashMap::with_capacity(candidates.len());
    // With how often each was read.
    let mut waiting: VecDeque<(&Candidate, usize)> =
        candidates.iter().map(|candidate| (candidate, 0)).collect();
    while !waiting.is_empty() {
        let seen_from = run.session.draw().await?;
        let ids: Vec<&str> = waiting.iter().map(|(candidate, _)| candidate.id.as_str()).collect();
        let answers = fetch::answers(run, outcomes.counters, &ids).await?;
        if let Writer::DryRun(_) = outcomes.writer {
            // What a run would have written down.
            links.note(ids.iter().copied().zip(&answers));
        }
        let (mut read, mut batch, mut moved) = (Vec::new(), Vec::new(), Vec::new());
        let asked: Vec<(&Candidate, usize)> = waiting.drain(..answers.len()).collect();
        for ((candidate, reads), answer) in asked.into_iter().zip(answers) {
            let Candidate { id, is_listed } = candidate;
            match answer {
                CoreAnswer::Found(finding, birthday) => {
                    birthdays.note(id, birthday);
                    read.push((candidate, reads + 1, finding.is_gone()));
                    batch.push(observation(run, links, id.clone(), seen_from, finding));
                }
                CoreAnswer::Moved => {
                    effects.insert(id, Effect::default());
                    moved.push(id.as_str());
                }
                CoreAnswer::Undecided(why) => {
                    outcomes.counters.undecided.member(id, why, *is_listed);
                }
            }
        }
        outcomes.pending.add_moved(&moved).await?;
        let (written, again) = write(outcomes, &batch, read).await?;
        waiting.extend(again);
        effects.extend(written);
    }
    Ok(effects)
}

/// Members that were read, and are to be read again: each with the number of its reads.
type Again<'a> = Vec<(&'a Candidate, usize)>;

/// Writes and counts a batch of what was read. Answers what was done, and who must be read again.
async fn write<'a>(
    outcomes: &mut Outcomes<'_>,
    batch: &[Observation],
    read: Vec<(&'a Candidate, usize, bool)>,
) -> Result<(HashMap<&'a str, Effect>, Again<'a>), RunError> {
    let mut done = outcomes.write(batch).await?;
    let (mut effects, mut again) = (HashMap::with_capacity(read.len()), Vec::new());
    let mut written = Vec::with_capacity(read.len());
    for (candidate, reads, is_gone) in read {
        let Candidate { id, is_listed } = candidate;
        match done.remove(id) {
            Some(effect) if effect.refused && reads < READS => again.push((candidate, reads)),
            // Whom webhooks write again and again has newer reads than this one.
            Some(effect) if effect.refused => _ = effects.insert(id.as_str(), Effect::superseded()),
            Some(effect) => {
                let is_there = !is_gone && !effect.superseded && effect.withheld.is_none();
                if is_there && !is_listed {
                    outcomes.counters.undecided.unlisted(id);
                }
                effects.insert(id.as_str(), effect);
                written.push(candidate);
            }
            None => outcomes.counters.undecided.member(id, NOT_TAKEN.to_owned(), *is_listed),
        }
    }
    let counted: Vec<Outcome<'_>> = written
        .iter()
        .filter_map(|candidate| {
            let member = candidate.id.as_str();
            let effect = effects.get(member)?;
            Some(Outcome { member, effect, is_listed: candidate.is_listed })
        })
        .collect();
    let samples = outcomes.count(&counted);
    outcomes.record(samples).await?;
    Ok((effects, again))
}
