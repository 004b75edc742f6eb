//! The guarded write: one transaction for all that is ready (CORRECTNESS §1 and §5).

use std::collections::{HashMap, HashSet};

use database::{Client, Error, Transaction};
use uuid::Uuid;

use crate::{
    Effect, Entry, Finding, LogLine, Observation, Status,
    claim::{Claim, ClaimStatement, claim},
    decide::{Change, Decision, decide, outcome, status, withhold_archive},
    delivery_log::{self, DUPLICATE, LogStatements},
    members::{self, Existing, MemberStatements, NewRow},
    photos::{self, PhotoChange},
};

/// Something to be committed.
#[derive(Debug, Clone)]
pub enum Commit {
    /// What is known of a member now; at most one for each member in a batch.
    Member(Box<Observation>),
    /// Only a delivery's log row.
    Log(LogLine),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in, and its deliveries are logged: as this, in their order; none for one that had come
    /// to its end before.
    Done(Vec<Option<Status>>),
    /// Something else about this member was applied since the read began: read again.
    Refused,
}

/// The statements of one session.
pub(crate) struct CommitStatements {
    claim: ClaimStatement,
    members: MemberStatements,
    log: LogStatements,
}

impl CommitStatements {
    pub(crate) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self {
            claim: ClaimStatement::prepare(client).await?,
            members: MemberStatements::prepare(client).await?,
            log: LogStatements::prepare(client).await?,
        })
    }
}

/// Commits a batch in one transaction and answers in its order. After an error nothing was
/// written, unless the connection was lost during the COMMIT itself: then nobody knows.
pub(crate) async fn commit(
    client: &mut Client,
    statements: &CommitStatements,
    batch: &[&Commit],
) -> Result<Vec<Outcome>, Error> {
    let transaction = client.transaction().await?;
    let observations: Vec<&Observation> = batch
        .iter()
        .filter_map(|commit| match commit {
            Commit::Member(observation) => Some(&**observation),
            Commit::Log(_) => None,
        })
        .collect();
    let Written { claims, mut lines, .. } =
        write_members(&transaction, statements, &observations, Archives::Made).await?;
    lines.extend(batch.iter().filter_map(|commit| match commit {
        Commit::Member(_) => None,
        Commit::Log(line) => Some(line.clone()),
    }));
    let written = delivery_log::write(&transaction, &statements.log, &lines).await?;
    transaction.commit().await?;
    let status = |entry: &Entry| written.get(&entry.envelope.delivery_id).copied();

    let mut claims = claims.into_iter();
    Ok(batch
        .iter()
        .map(|commit| match commit {
            Commit::Log(line) => Outcome::Done(vec![status(&line.entry)]),
            Commit::Member(observation) => match claims.next() {
                Some(Claim::Applied | Claim::Covered) => {
                    Outcome::Done(observation.entries.iter().map(status).collect())
                }
                Some(Claim::Refused) | None => Outcome::Refused,
            },
        })
        .collect())
}

/// Whether whoever should be archived is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Archives {
    Made,
    /// Told in the effects, and everything else is written.
    Withheld,
}

/// What was written for a batch of observations, in its order.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) claims: Vec<Claim>,
    /// What each did to its row.
    pub(crate) effects: Vec<Effect>,
    /// The log lines of the deliveries that came to their end.
    lines: Vec<LogLine>,
}

/// Claims, reads, decides, writes.
pub(crate) async fn write_members(
    transaction: &Transaction<'_>,
    statements: &CommitStatements,
    observations: &[&Observation],
    archives: Archives,
) -> Result<Written, Error> {
    if observations.is_empty() {
        return Ok(Written::default());
    }
    // Two statements, sent together: the second's snapshot is younger than the locks that the
    // first one took. In one statement a concurrent insert would be missed and its update lost.
    let (claims, existing) = futures_util::future::try_join(
        claim(transaction, &statements.claim, observations),
        members::read(transaction, &statements.members, observations),
    )
    .await?;

    let mut plan = Plan::default();
    let mut effects = Vec::with_capacity(observations.len());
    for (observation, claim) in observations.iter().zip(&claims) {
        let row = existing.get(&(observation.campus, observation.member.clone()));
        effects.push(match claim {
            Claim::Applied => plan.apply(observation, row, archives),
            Claim::Covered => {
                plan.cover(observation, row);
                Effect::superseded()
            }
            Claim::Refused => Effect::refused(),
        });
    }
    let (created, ()) = futures_util::future::try_join(
        members::insert(transaction, &statements.members, &plan.inserts),
        members::update(transaction, &statements.members, &plan.updates),
    )
    .await?;
    let photos = photos::write(transaction, &plan.photos(&existing, &created)).await?;
    for (observation, effect) in observations.iter().zip(&mut effects) {
        let row = existing.get(&(observation.campus, observation.member.clone()));
        if row.is_some_and(|row| photos.contains(&row.id)) {
            effect.note_photo();
        }
    }
    Ok(Written { claims, effects, lines: plan.lines })
}

/// What a batch writes.
#[derive(Default)]
struct Plan<'a> {
    inserts: Vec<NewRow<'a>>,
    updates: Vec<NewRow<'a>>,
    applied: Vec<&'a Observation>,
    lines: Vec<LogLine>,
}

impl<'a> Plan<'a> {
    fn apply(
        &mut self,
        observation: &'a Observation,
        row: Option<&Existing>,
        archives: Archives,
    ) -> Effect {
        let columns = row.map(|row| &row.columns);
        let mut decision = decide(columns, &observation.finding);
        let withheld = match archives {
            Archives::Made => None,
            Archives::Withheld => withhold_archive(columns, &mut decision),
        };
        let effect = Effect::of(columns, &decision.change, withheld);
        let Decision { change, message } = decision;
        self.log(observation, &message, |event_type| {
            status(event_type, &observation.finding, &change)
        });
        let new_row =
            |columns| NewRow { campus: observation.campus, member: &observation.member, columns };
        match change {
            Change::Insert(columns) => self.inserts.push(new_row(columns)),
            Change::Update(Some(columns)) => self.updates.push(new_row(columns)),
            Change::Update(None) | Change::Nothing => {}
        }
        self.applied.push(observation);
        effect
    }

    /// A read that began later is in: these deliveries are part of it. It showed the member alive,
    /// so a delete among them is stale.
    fn cover(&mut self, observation: &Observation, row: Option<&Existing>) {
        let name = row.and_then(|row| row.columns.name.as_deref());
        self.log(observation, &outcome("updated", name), |event_type| {
            if *event_type == event::EventType::MemberDeleted {
                Status::Stale
            } else {
                Status::Processed
            }
        });
    }

    /// One line for each delivery; of twins in one group the first counts.
    fn log(
        &mut self,
        observation: &Observation,
        message: &str,
        status: impl Fn(&event::EventType) -> Status,
    ) {
        let mut seen = HashSet::new();
        for entry in &observation.entries {
            let envelope = &entry.envelope;
            let first = seen.insert((&envelope.event_id, envelope.event_type.as_str()));
            let (status, message) = if first {
                (status(&envelope.event_type), message)
            } else {
                (Status::Duplicate, DUPLICATE)
            };
            self.lines.push(LogLine {
                entry: entry.clone(),
                status,
                message: Some(message.to_owned()),
                error: None,
            });
        }
    }

    fn photos(
        &self,
        existing: &HashMap<(Uuid, String), Existing>,
        created: &HashMap<(Uuid, String), Uuid>,
    ) -> Vec<PhotoChange<'a>> {
        self.applied
            .iter()
            .filter_map(|observation| {
                let Finding::Read(verdict) = &observation.finding else { return None };
                let key = (observation.campus, observation.member.clone());
                let member =
                    existing.get(&key).map(|row| row.id).or_else(|| created.get(&key).copied())?;
                Some(PhotoChange {
                    campus: observation.campus,
                    member,
                    photo: &verdict.profile()?.photo,
                })
            })
            .collect()
    }
}
