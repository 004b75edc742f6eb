//! The guarded write for events: one transaction for all that is ready (rule store-11).

use std::collections::{HashMap, HashSet};

use database::{Client, Error};
use uuid::Uuid;

use crate::{
    DeliveryStatus, Entry, LogLine, Observation,
    claim::Claim,
    delivery_log, locked,
    write::{Archives, SetAside, WriteStatements, WrittenBatch, write_members},
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
    Done(Vec<Option<DeliveryStatus>>),
    /// Something else about this member was applied since the read began: read again.
    Refused,
    /// The campus's configuration is another one by now: read again, under that.
    Outdated,
    /// Members here have the same phone and name, and whether they are gone from the core must be asked
    /// before this one is created. Nothing was written for it.
    Namesakes(Vec<String>),
    /// Somebody else has locked the member's row, or is changing the campus's configuration: nothing
    /// was written for it.
    Locked,
}

impl From<SetAside> for Outcome {
    fn from(aside: SetAside) -> Self {
        match aside {
            SetAside::Locked => Self::Locked,
            SetAside::Namesakes(members) => Self::Namesakes(members),
        }
    }
}

/// What is done about rows that somebody else has locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockPolicy {
    /// They are waited for, each for a moment; then the batch fails.
    Wait,
    /// They are found first, without waiting for any: their members are left out of the batch.
    SkipLocked,
}

/// Commits a batch in one transaction and answers in its order. After an error nothing was
/// written, unless the connection was lost during the COMMIT itself: then nobody knows.
pub(crate) async fn commit(
    client: &mut Client,
    statements: &WriteStatements,
    batch: &[&Commit],
    policy: LockPolicy,
) -> Result<Vec<Outcome>, Error> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; batch.len()];
    while outcomes.iter().any(Option::is_none) {
        let rest: Vec<usize> =
            (0..batch.len()).filter(|place| outcomes[*place].is_none()).collect();
        let commits: Vec<&Commit> = rest.iter().map(|place| batch[*place]).collect();
        for (place, outcome) in
            rest.into_iter().zip(once(client, statements, &commits, policy).await?)
        {
            outcomes[place] = outcome;
        }
    }
    Ok(outcomes.into_iter().flatten().collect())
}

/// One transaction. None for whoever must wait for the next one: it was found while this one was under
/// way that others may not be written, and nothing was.
async fn once(
    client: &mut Client,
    statements: &WriteStatements,
    batch: &[&Commit],
    policy: LockPolicy,
) -> Result<Vec<Option<Outcome>>, Error> {
    let transaction = client.transaction().await?;
    let mut observations: Vec<&Observation> =
        batch.iter().filter_map(|commit| commit.observation()).collect();
    let campuses: HashSet<Uuid> = observations.iter().map(|o| o.campus).collect();
    let mut locked = HashSet::new();
    if policy == LockPolicy::SkipLocked && !observations.is_empty() {
        locked = locked::find(&transaction, &statements.skip, &observations).await?;
        observations.retain(|o| !locked.contains(&(o.campus, o.member.clone())));
    }
    let writing = write_members(&transaction, statements, &observations, Archives::Limited);
    // Sent together: the claim, the first of what is written, has a snapshot that is younger than the lock.
    let (changing, written) = if campuses.is_empty() {
        (HashSet::new(), writing.await?)
    } else {
        let lock = statements.campus_lock.take(&transaction, &campuses);
        futures_util::future::try_join(lock, writing).await?
    };
    if !changing.is_empty() {
        transaction.rollback().await?;
        let is_changing = |o: &Observation| changing.contains(&o.campus);
        return Ok(batch
            .iter()
            .map(|commit| commit.observation().is_some_and(is_changing).then_some(Outcome::Locked))
            .collect());
    }
    if !written.set_aside.is_empty() {
        transaction.rollback().await?;
        return Ok(set_aside(batch, &observations, written.set_aside));
    }
    let WrittenBatch { claims, mut lines, .. } = written;
    lines.extend(batch.iter().filter_map(|commit| match commit {
        Commit::Member(_) => None,
        Commit::Log(line) => Some(line.clone()),
    }));
    let logged = delivery_log::write(&transaction, &statements.log, &lines).await?;
    transaction.commit().await?;
    let status = |entry: &Entry| logged.get(&entry.envelope.delivery_id).copied();

    let mut claims = claims.into_iter();
    Ok(batch
        .iter()
        .map(|commit| match commit {
            Commit::Log(line) => Outcome::Done(vec![status(&line.entry)]),
            Commit::Member(o) if locked.contains(&(o.campus, o.member.clone())) => Outcome::Locked,
            Commit::Member(observation) => match claims.next() {
                Some(Claim::First | Claim::Applied | Claim::Covered) => {
                    Outcome::Done(observation.entries.iter().map(status).collect())
                }
                Some(Claim::Outdated) => Outcome::Outdated,
                Some(Claim::Refused) | None => Outcome::Refused,
            },
        })
        .map(Some)
        .collect())
}

/// Answers those of a batch who could not be written, and nothing to the others, who were not written either.
fn set_aside(
    batch: &[&Commit],
    observations: &[&Observation],
    mut set_aside: HashMap<usize, SetAside>,
) -> Vec<Option<Outcome>> {
    let mut by_member: HashMap<(Uuid, &str), SetAside> = observations
        .iter()
        .enumerate()
        .filter_map(|(place, o)| Some(((o.campus, o.member.as_str()), set_aside.remove(&place)?)))
        .collect();
    batch
        .iter()
        .map(|commit| {
            let observation = commit.observation()?;
            by_member.remove(&(observation.campus, observation.member.as_str())).map(Outcome::from)
        })
        .collect()
}

impl Commit {
    fn observation(&self) -> Option<&Observation> {
        match self {
            Self::Member(observation) => Some(observation),
            Self::Log(_) => None,
        }
    }
}
