//! The guarded write: one transaction for all that is ready (CORRECTNESS §1 and §5).

use std::collections::{HashMap, HashSet};

use database::{Client, Error, Transaction};
use uuid::Uuid;

use crate::{
    Effect, Entry, Finding, LogLine, Observation, Status,
    archive_limit::{self, Made},
    campus_lock::CampusLock,
    claim::{Claim, ClaimStatement, claim},
    decide::{Change, Decision, decide, kept_out, outcome, status},
    delivery_log::{self, DUPLICATE, LogStatements},
    link::{self, Candidate, Choice, Link, LinkStatements, Linked, Unasked},
    locked::{self, SkipStatement},
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
    /// The campus's configuration is another one by now: read again, under that.
    Outdated,
    /// Members here have the same phone and name, and whether they are gone from the core must be asked
    /// before this one is created. Nothing was written for it.
    Namesakes(Vec<String>),
    /// Somebody else has locked the member's row, or is changing the campus's configuration: nothing
    /// was written for it.
    Locked,
}

/// How locks of others are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Waited for, each for a moment; then the batch fails.
    Wait,
    /// Found first, so that none is waited for: their members are left out of the batch.
    Skip,
}

/// The statements of one session.
pub(crate) struct CommitStatements {
    campus_lock: CampusLock,
    skip: SkipStatement,
    claim: ClaimStatement,
    members: MemberStatements,
    link: LinkStatements,
    log: LogStatements,
}

impl CommitStatements {
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

/// Commits a batch in one transaction and answers in its order. After an error nothing was
/// written, unless the connection was lost during the COMMIT itself: then nobody knows.
pub(crate) async fn commit(
    client: &mut Client,
    statements: &CommitStatements,
    batch: &[&Commit],
    patience: Patience,
) -> Result<Vec<Outcome>, Error> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; batch.len()];
    while outcomes.iter().any(Option::is_none) {
        let rest: Vec<usize> =
            (0..batch.len()).filter(|place| outcomes[*place].is_none()).collect();
        let commits: Vec<&Commit> = rest.iter().map(|place| batch[*place]).collect();
        for (place, outcome) in
            rest.into_iter().zip(once(client, statements, &commits, patience).await?)
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
    statements: &CommitStatements,
    batch: &[&Commit],
    patience: Patience,
) -> Result<Vec<Option<Outcome>>, Error> {
    let transaction = client.transaction().await?;
    let mut observations: Vec<&Observation> =
        batch.iter().filter_map(|commit| commit.observation()).collect();
    let campuses: HashSet<Uuid> = observations.iter().map(|o| o.campus).collect();
    let mut locked = HashSet::new();
    if patience == Patience::Skip && !observations.is_empty() {
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
        let aside: HashMap<(Uuid, &str), &SetAside> = written
            .set_aside
            .iter()
            .map(|(place, aside)| {
                ((observations[*place].campus, observations[*place].member.as_str()), aside)
            })
            .collect();
        return Ok(batch
            .iter()
            .map(|commit| {
                let observation = commit.observation()?;
                let aside = aside.get(&(observation.campus, observation.member.as_str()))?;
                Some(Outcome::from((*aside).clone()))
            })
            .collect());
    }
    let Written { claims, mut lines, .. } = written;
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

impl Commit {
    fn observation(&self) -> Option<&Observation> {
        match self {
            Self::Member(observation) => Some(observation),
            Self::Log(_) => None,
        }
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
pub(crate) struct Written {
    pub(crate) claims: Vec<Claim>,
    /// What each did to its row.
    pub(crate) effects: Vec<Effect>,
    /// The log lines of the deliveries that came to their end.
    lines: Vec<LogLine>,
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

impl From<SetAside> for Outcome {
    fn from(aside: SetAside) -> Self {
        match aside {
            SetAside::Locked => Self::Locked,
            SetAside::Namesakes(members) => Self::Namesakes(members),
        }
    }
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
    let (claims, mut existing) = futures_util::future::try_join(
        claim(transaction, &statements.claim, observations),
        members::read(transaction, &statements.members, observations),
    )
    .await?;

    let (taken, set_aside) =
        take_over(transaction, statements, observations, &claims, &existing, archives).await?;
    if !set_aside.is_empty() {
        return Ok(Written { set_aside, ..Written::default() });
    }
    let mut linked: HashMap<usize, Linked> = HashMap::new();
    for (place, candidate) in taken {
        linked.insert(place, candidate.linked());
        let (campus, member) = (observations[place].campus, observations[place].member.clone());
        // The batch may have the id that the row had: nobody is under it any more.
        if let Some(previous) = candidate.member {
            existing.remove(&(campus, previous));
        }
        existing.insert((campus, member), candidate.existing);
    }
    let beyond_limit = match archives {
        Archives::Limited => {
            archive_limit::beyond_limit(transaction, observations, &claims, &existing).await?
        }
        Archives::Made | Archives::Withheld => HashSet::new(),
    };
    let mut plan = Plan::default();
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
        archive_limit::record(transaction, None, &limited(observations, &effects)).await?;
    }
    let photos = photos::write(transaction, &plan.photos(&existing, &created)).await?;
    for (observation, effect) in observations.iter().zip(&mut effects) {
        let row = existing.get(&(observation.campus, observation.member.clone()));
        if row.is_some_and(|row| photos.contains(&row.id)) {
            effect.note_photo();
        }
    }
    Ok(Written { claims, effects, lines: plan.lines, set_aside })
}

/// Takes over the rows of people who are here already, for those among a batch who would be created.
async fn take_over(
    transaction: &Transaction<'_>,
    statements: &CommitStatements,
    observations: &[&Observation],
    claims: &[Claim],
    existing: &HashMap<(Uuid, String), Existing>,
    archives: Archives,
) -> Result<(HashMap<usize, Candidate>, HashMap<usize, SetAside>), Error> {
    let wishes: Vec<usize> = (0..observations.len())
        .filter(|place| {
            let observation = observations[*place];
            claims[*place] == Claim::First
                && matches!(observation.link, Link::Allowed(_))
                && !existing.contains_key(&(observation.campus, observation.member.clone()))
        })
        .collect();
    let unasked = match archives {
        Archives::Limited => Unasked::AreAskedFor,
        Archives::Made | Archives::Withheld => Unasked::AreThere,
    };
    let find = &statements.link.find;
    let choices = link::choose(transaction, find, observations, &wishes, unasked).await?;
    let (mut taken, mut set_aside) = (HashMap::new(), HashMap::new());
    for (place, choice) in choices {
        match choice {
            Choice::Take(candidate) => _ = taken.insert(place, *candidate),
            Choice::Ask(members) => _ = set_aside.insert(place, SetAside::Namesakes(members)),
        }
    }
    if set_aside.is_empty() && !taken.is_empty() {
        let missed = link::take(transaction, find, observations, &taken).await?;
        set_aside.extend(missed.into_iter().map(|place| (place, SetAside::Locked)));
    }
    Ok((taken, set_aside))
}

/// The archives of a batch of events that count towards their campus's limit.
fn limited<'a>(observations: &[&'a Observation], effects: &'a [Effect]) -> Vec<Made<'a>> {
    let counted = observations.iter().zip(effects).filter(|(o, _)| o.finding.is_filtered());
    counted
        .filter_map(|(observation, effect)| {
            Some(Made {
                campus: observation.campus,
                member: &observation.member,
                change: effect.archive.as_ref()?,
                is_allowed: false,
            })
        })
        .collect()
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
        linked: Option<Linked>,
        is_withheld: bool,
    ) -> Effect {
        let columns = row.map(|row| &row.columns);
        let mut decision = decide(columns, &observation.finding);
        let effect = Effect::of(columns, &mut decision, linked, is_withheld);
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
    /// so a delete among them is stale; and where it made no row, the filter keeps the member out.
    fn cover(&mut self, observation: &Observation, row: Option<&Existing>) {
        let (message, status) = match row {
            Some(row) => (outcome("updated", row.columns.name.as_deref()), Status::Processed),
            None => (kept_out(observation.finding.name()), Status::Filtered),
        };
        self.log(observation, &message, |event_type| {
            if *event_type == event::EventType::MemberDeleted { Status::Stale } else { status }
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
                config_version: Some(observation.config_version),
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
