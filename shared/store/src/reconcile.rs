//! The guarded write as the reconciler uses it: the same claim, decision and columns as for a
//! webhook, and a brake on archives that is counted in the transaction that makes them.

use std::collections::HashSet;

use database::{Client, Error, Transaction};
use uuid::Uuid;

use crate::{
    Finding, Observation,
    commit::{Archives, CommitStatements, write_members},
    decide::{Change, Columns, decide, withhold_archive},
    members,
    photos::{self, PhotoChange},
};

/// How far a reconciliation may go.
#[derive(Debug, Clone)]
pub struct Mandate {
    /// The run, a row of `sync_logs`.
    pub run: Uuid,
    /// The campus that every observation must be of.
    pub campus: Uuid,
    /// The configuration that the run began with, by its `synced_version`; nothing is written under
    /// another.
    pub config_version: i64,
    /// Whom it may archive; `None`: nobody.
    pub archives: Option<Brake>,
}

/// The brake on archives.
#[derive(Debug, Clone)]
pub struct Brake {
    /// Archives of a day, those of earlier runs included.
    pub most_a_day: u64,
    /// Members whose archive an operator let through; they are not counted.
    pub allowed: HashSet<String>,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Reconciliation {
    /// It is on disk; what each observation did, in the order of the batch.
    Done(Vec<Effect>),
    /// It would have archived more than the brake lets through: nothing was written.
    Braked,
    /// The campus's configuration is another one by now: nothing was written.
    ConfigurationChanged,
}

/// What an observation did to its member's row.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, and counted")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// Something else about the member was applied since the read began: read again.
    pub refused: bool,
    /// A later read is in already.
    pub superseded: bool,
    /// The row was made.
    pub created: bool,
    /// Columns other than the archive's and the age were written.
    pub updated: bool,
    /// Which columns those were, and `photo`.
    pub changed: Vec<&'static str>,
    /// It was archived, for this reason.
    pub archived: Option<String>,
    /// An archive of ours was lifted.
    pub unarchived: bool,
    /// It should be archived for this reason, and was not.
    pub withheld: Option<String>,
}

impl Effect {
    pub(crate) fn refused() -> Self {
        Self { refused: true, ..Self::default() }
    }

    pub(crate) fn superseded() -> Self {
        Self { superseded: true, ..Self::default() }
    }

    pub(crate) fn of(before: Option<&Columns>, change: &Change, withheld: Option<String>) -> Self {
        let effect = Self { withheld, ..Self::default() };
        match (before, change) {
            (_, Change::Insert(_)) => Self { created: true, ..effect },
            (Some(before), Change::Update(Some(after))) => {
                let changed = before.differing(after);
                Self {
                    updated: !changed.is_empty(),
                    changed,
                    archived: (after.is_archived && !before.is_archived)
                        .then(|| after.archived_reason.clone().unwrap_or_default()),
                    unarchived: before.is_archived && !after.is_archived,
                    ..effect
                }
            }
            _ => effect,
        }
    }

    /// The photo of a row that was there already is another one.
    pub(crate) fn note_photo(&mut self) {
        self.updated = true;
        self.changed.push("photo");
    }
}

impl Columns {
    /// The columns that differ, but for the archive's, and the age, which follows the calendar.
    fn differing(&self, other: &Self) -> Vec<&'static str> {
        [
            ("name", self.name == other.name),
            ("phone", self.phone == other.phone),
            ("gender", self.gender == other.gender),
            ("birth_date", self.birth_date == other.birth_date),
            ("photo_url", self.photo_url == other.photo_url),
            ("category", self.category == other.category),
        ]
        .into_iter()
        .filter_map(|(column, is_alike)| (!is_alike).then_some(column))
        .collect()
    }
}

/// Locked: whoever changes the configuration waits for the commit, or is waited for, and so does a
/// second run, should one ever come about, which would count archives without seeing these.
const VERSION: &str =
    "SELECT synced_version FROM sync_configs WHERE campus_id = $1 FOR NO KEY UPDATE";

const RECORD: &str = "
    INSERT INTO sync_changes (run_id, campus_id, external_member_id, kind, reason, allowed)
    SELECT $1, $2, r.member, 'archived', r.reason, r.allowed
    FROM unnest($3::text[], $4::text[], $5::boolean[]) AS r(member, reason, allowed)
    ON CONFLICT DO NOTHING";

const COUNT: &str = "
    SELECT count(*) FROM sync_changes
    WHERE campus_id = $1 AND kind = 'archived' AND NOT allowed
      AND changed_at > now() - interval '24 hours'";

/// Commits a batch; see [`crate::SyncWriter::reconcile`].
pub(crate) async fn reconcile(
    client: &mut Client,
    statements: &CommitStatements,
    batch: &[&Observation],
    mandate: &Mandate,
) -> Result<Reconciliation, Error> {
    let transaction = client.transaction().await?;
    let version = transaction.query_opt(VERSION, &[&mandate.campus]).await?;
    if version.is_none_or(|row| row.get::<_, i64>(0) != mandate.config_version) {
        return Ok(Reconciliation::ConfigurationChanged);
    }
    let archives = match mandate.archives {
        Some(_) => Archives::Made,
        None => Archives::Withheld,
    };
    let effects = write_members(&transaction, statements, batch, archives).await?.effects;
    if let Some(brake) = &mandate.archives {
        record(&transaction, mandate, brake, batch, &effects).await?;
        let archived: i64 = transaction.query_one(COUNT, &[&mandate.campus]).await?.get(0);
        if archived.unsigned_abs() > brake.most_a_day {
            return Ok(Reconciliation::Braked);
        }
    }
    transaction.commit().await?;
    Ok(Reconciliation::Done(effects))
}

async fn record(
    transaction: &Transaction<'_>,
    mandate: &Mandate,
    brake: &Brake,
    batch: &[&Observation],
    effects: &[Effect],
) -> Result<(), Error> {
    let archived = || {
        batch.iter().zip(effects).filter_map(|(observation, effect)| {
            Some((observation.member.as_str(), effect.archived.as_deref()?))
        })
    };
    let members: Vec<&str> = archived().map(|(member, _)| member).collect();
    let reasons: Vec<&str> = archived().map(|(_, reason)| reason).collect();
    let allowed: Vec<bool> = members.iter().map(|member| brake.allowed.contains(*member)).collect();
    transaction
        .execute(RECORD, &[&mandate.run, &mandate.campus, &members, &reasons, &allowed])
        .await?;
    Ok(())
}

/// What a batch would do; see [`crate::SyncWriter::preview`].
pub(crate) async fn preview(client: &Client, batch: &[&Observation]) -> Result<Vec<Effect>, Error> {
    let existing = members::peek(client, batch).await?;
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
        .map(|observation| {
            let row = row(observation);
            let columns = row.map(|row| &row.columns);
            let mut decision = decide(columns, &observation.finding);
            let withheld = withhold_archive(columns, &mut decision);
            let mut effect = Effect::of(columns, &decision.change, withheld);
            if row.is_some_and(|row| photos.contains(&row.id)) {
                effect.note_photo();
            }
            effect
        })
        .collect())
}
