//! The guarded write as the reconciler uses it: the same claim, decision and columns as for a webhook, and a
//! limit on archives and returns that is counted in the transaction that makes them (rule store-15).

use std::collections::{HashMap, HashSet};

use database::{Client, Error, Transaction};
use uuid::Uuid;

use crate::{
    ChangeKind, Effect, Observation, SyncChange, archive_limit, archived_today, record_changes,
    write::{Archives, SetAside, WriteStatements, WrittenBatch, write_members},
};

/// What a reconciliation may write.
#[derive(Debug, Clone)]
pub struct WriteScope {
    /// The run, a row of `sync_logs`.
    pub run: Uuid,
    /// The campus that every observation must be of.
    pub campus: Uuid,
    /// The configuration that the run began with, by its `synced_version`; nothing is written under
    /// another.
    pub config_version: i64,
    /// How many it may archive or bring back; `None`: nobody.
    pub archives: Option<ArchiveLimit>,
}

/// The limit on archives and returns.
#[derive(Debug, Clone)]
pub struct ArchiveLimit {
    /// Of each in a day, those of earlier runs and of events included.
    pub most_a_day: u64,
    /// Members whom an operator let through: they are not counted, and nothing that was counted is in
    /// their way.
    pub allowed: HashSet<String>,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Reconciliation {
    /// It is on disk: what each observation did, by its member. Missing is whose row to take over is kept by
    /// somebody else: nothing was written for it.
    Done(HashMap<String, Effect>),
    /// It would have archived, or brought back, more than the limit lets through: nothing was written.
    LimitExceeded,
    /// The campus's configuration is another one by now: nothing was written.
    ConfigurationChanged,
}

/// Locked: whoever changes the configuration waits for the commit, or is waited for, and so does a
/// second run, should one ever come about, which would count archives without seeing these.
const VERSION: &str =
    "SELECT synced_version FROM sync_configs WHERE campus_id = $1 FOR NO KEY UPDATE";

/// Commits a batch; see [`crate::SyncWriter::reconcile`].
pub(crate) async fn reconcile(
    client: &mut Client,
    statements: &WriteStatements,
    batch: &[&Observation],
    scope: &WriteScope,
) -> Result<Reconciliation, Error> {
    let mut rest = batch.to_vec();
    loop {
        match once(client, statements, &rest, scope).await? {
            Attempt::Ended(reconciliation) => return Ok(reconciliation),
            Attempt::SetAside(set_aside) => {
                let places = (0..).zip(rest).filter(|(place, _)| !set_aside.contains_key(place));
                rest = places.map(|(_, observation)| observation).collect();
            }
        }
    }
}

/// What became of one transaction.
enum Attempt {
    Ended(Reconciliation),
    /// Nothing was written, because of these.
    SetAside(HashMap<usize, SetAside>),
}

async fn once(
    client: &mut Client,
    statements: &WriteStatements,
    batch: &[&Observation],
    scope: &WriteScope,
) -> Result<Attempt, Error> {
    let transaction = client.transaction().await?;
    let version = transaction.query_opt(VERSION, &[&scope.campus]).await?;
    if version.is_none_or(|row| row.get::<_, i64>(0) != scope.config_version) {
        return Ok(Attempt::Ended(Reconciliation::ConfigurationChanged));
    }
    let archives = match scope.archives {
        Some(_) => Archives::Made,
        None => Archives::Withheld,
    };
    if scope.archives.is_some() {
        archive_limit::lock(&transaction, &HashSet::from([scope.campus])).await?;
    }
    let WrittenBatch { effects, set_aside, .. } =
        write_members(&transaction, statements, batch, archives).await?;
    if !set_aside.is_empty() {
        transaction.rollback().await?;
        return Ok(Attempt::SetAside(set_aside));
    }
    if let Some(limit) = &scope.archives
        && is_exceeded(&transaction, scope, limit, batch, &effects).await?
    {
        return Ok(Attempt::Ended(Reconciliation::LimitExceeded));
    }
    transaction.commit().await?;
    let members = batch.iter().map(|observation| observation.member.clone());
    Ok(Attempt::Ended(Reconciliation::Done(members.zip(effects).collect())))
}

/// Records what was archived and brought back, and says whether that is more than the limit lets through.
async fn is_exceeded(
    transaction: &Transaction<'_>,
    scope: &WriteScope,
    limit: &ArchiveLimit,
    batch: &[&Observation],
    effects: &[Effect],
) -> Result<bool, Error> {
    let changes: Vec<SyncChange<'_>> = batch
        .iter()
        .zip(effects)
        .filter_map(|(observation, effect)| {
            let (member, change) = (&observation.member, effect.archive.as_ref()?);
            let is_allowed = limit.allowed.contains(member);
            Some(SyncChange::of_archive(scope.campus, member, change, is_allowed))
        })
        .collect();
    record_changes(transaction, Some(scope.run), &changes).await?;
    let counted: HashSet<ChangeKind> =
        changes.iter().filter(|change| !change.is_allowed).map(|change| change.kind).collect();
    if counted.is_empty() {
        return Ok(false);
    }
    let today = archived_today(transaction, &[scope.campus]).await?;
    let today = today.get(&scope.campus).copied().unwrap_or_default();
    Ok(counted.into_iter().any(|kind| today.of(kind) > limit.most_a_day))
}
