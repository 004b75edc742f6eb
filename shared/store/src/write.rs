//! The guarded write of a batch of observations, inside the caller's transaction: claim, read, decide, write
//! (rule store-4). Events and reconciliations go through it alike.

use std::collections::{HashMap, HashSet};

use database::{Client, Error, Transaction};
use uuid::Uuid;

use crate::{
    Effect, LogLine, Observation, SyncChange, archive_limit,
    campus_lock::CampusLock,
    claim::{Claim, ClaimStatement, claim},
    delivery_log::LogStatements,
    link::{self, Candidate, LinkDecision, LinkPolicy, LinkStatements, UnknownIds},
    locked::SkipStatement,
    members::{self, Existing, MemberStatements},
    photos, record_changes,
    write_plan::WritePlan,
};

/// The statements of one session.
pub(crate) struct WriteStatements {
    pub(crate) campus_lock: CampusLock,
    pub(crate) skip: SkipStatement,
    claim: ClaimStatement,
    members: MemberStatements,
    link: LinkStatements,
    pub(crate) log: LogStatements,
}

impl WriteStatements {
    pub(crate) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self {
            campus_lock: CampusLock::prepare(client).await?,
            skip: SkipStatement::prepare(client).await?,
            claim: ClaimStatement::prepare(client).await?,
            members: MemberStatements::prepare(client).await?,
            link: LinkStatements::prepare(client).await?,
            log: LogStatements::prepare(client).await?,
        })
    }
}

/// Whether whoever should be archived is, and whoever should come back does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Archives {
    Made,
    /// But whom the sync filter drops only as far as the campus's limit goes.
    Limited,
    /// Told in the effects, and everything else is written.
    Withheld,
}

/// What was written for a batch of observations, in its order.
#[derive(Default)]
pub(crate) struct WrittenBatch {
    pub(crate) claims: Vec<Claim>,
    /// What each did to its row.
    pub(crate) effects: Vec<Effect>,
    /// The log lines of the deliveries that came to their end.
    pub(crate) lines: Vec<LogLine>,
    /// Who cannot be written yet, by the places in the batch: then nobody was, and the transaction is to be
    /// given up.
    pub(crate) set_aside: HashMap<usize, SetAside>,
}

/// Why a member cannot be written yet.
#[derive(Debug, Clone)]
pub(crate) enum SetAside {
    /// The row that it would take over is kept by somebody else.
    Locked,
    /// Whether these are gone must be known first.
    Namesakes(Vec<String>),
}

/// Claims, reads, decides, writes.
pub(crate) async fn write_members(
    transaction: &Transaction<'_>,
    statements: &WriteStatements,
    observations: &[&Observation],
    archives: Archives,
) -> Result<WrittenBatch, Error> {
    if observations.is_empty() {
        return Ok(WrittenBatch::default());
    }
    // Two statements, sent together: the second's snapshot is younger than the locks that the
    // first one took. In one statement a concurrent insert would be missed and its update lost.
    let (claims, mut existing) = futures_util::future::try_join(
        claim(transaction, &statements.claim, observations),
        members::read(transaction, &statements.members, observations),
    )
    .await?;

    let (taken, set_aside) =
        take_over(transaction, statements, observations, &claims, &existing, archives).await?;
    if !set_aside.is_empty() {
        return Ok(WrittenBatch { set_aside, ..WrittenBatch::default() });
    }
    let mut linked = link::put_beside(&mut existing, observations, taken);
    let beyond_limit = match archives {
        Archives::Limited => {
            archive_limit::beyond_limit(transaction, observations, &claims, &existing).await?
        }
        Archives::Made | Archives::Withheld => HashSet::new(),
    };
    let mut plan = WritePlan::default();
    let mut effects = Vec::with_capacity(observations.len());
    for (place, (observation, claim)) in observations.iter().zip(&claims).enumerate() {
        let row = existing.get(&(observation.campus, observation.member.clone()));
        let is_withheld = archives == Archives::Withheld || beyond_limit.contains(&place);
        effects.push(match claim {
            Claim::First | Claim::Applied => {
                plan.apply(observation, row, linked.remove(&place), is_withheld)
            }
            Claim::Covered => {
                plan.cover(observation, row);
                Effect::superseded()
            }
            Claim::Refused | Claim::Outdated => Effect::refused(),
        });
    }
    let (created, ()) = futures_util::future::try_join(
        members::insert(transaction, &statements.members, &plan.inserts),
        members::update(transaction, &statements.members, &plan.updates),
    )
    .await?;
    if archives == Archives::Limited {
        record_changes(transaction, None, &limited(observations, &effects)).await?;
    }
    let photos = photos::write(transaction, &plan.photos(&existing, &created)).await?;
    for (observation, effect) in observations.iter().zip(&mut effects) {
        let row = existing.get(&(observation.campus, observation.member.clone()));
        if row.is_some_and(|row| photos.contains(&row.id)) {
            effect.note_photo();
        }
    }
    Ok(WrittenBatch { claims, effects, lines: plan.lines, set_aside })
}

/// Takes over the rows of people who are here already, for those among a batch who would be created.
async fn take_over(
    transaction: &Transaction<'_>,
    statements: &WriteStatements,
    observations: &[&Observation],
    claims: &[Claim],
    existing: &HashMap<(Uuid, String), Existing>,
    archives: Archives,
) -> Result<(HashMap<usize, Candidate>, HashMap<usize, SetAside>), Error> {
    let unseen: Vec<usize> = (0..observations.len())
        .filter(|place| {
            let observation = observations[*place];
            claims[*place] == Claim::First
                && matches!(observation.link, LinkPolicy::Allowed(_))
                && !existing.contains_key(&(observation.campus, observation.member.clone()))
        })
        .collect();
    let unknown = match archives {
        Archives::Limited => UnknownIds::MustBeAsked,
        Archives::Made | Archives::Withheld => UnknownIds::Alive,
    };
    let find = &statements.link.find;
    let decisions = link::decide(transaction, find, observations, &unseen, unknown).await?;
    let (mut taken, mut set_aside) = (HashMap::new(), HashMap::new());
    for (place, decision) in decisions {
        match decision {
            LinkDecision::TakeOver(candidate) => _ = taken.insert(place, *candidate),
            LinkDecision::AskFirst(members) => {
                _ = set_aside.insert(place, SetAside::Namesakes(members));
            }
        }
    }
    if set_aside.is_empty() && !taken.is_empty() {
        let missed = link::take(transaction, find, observations, &taken).await?;
        set_aside.extend(missed.into_iter().map(|place| (place, SetAside::Locked)));
    }
    Ok((taken, set_aside))
}

/// The archives of a batch of events that count towards their campus's limit.
fn limited<'a>(observations: &[&'a Observation], effects: &'a [Effect]) -> Vec<SyncChange<'a>> {
    let counted = observations.iter().zip(effects).filter(|(o, _)| o.finding.is_filtered());
    counted
        .filter_map(|(o, effect)| {
            Some(SyncChange::of_archive(o.campus, &o.member, effect.archive.as_ref()?, false))
        })
        .collect()
}
