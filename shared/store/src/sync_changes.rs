//! `sync_changes`: what runs, and events that the sync filter decides, did to members, by the core's ids. From
//! it the archives of a day are counted.

use std::collections::HashMap;

use database::Error;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::ArchiveChange;

/// What happened to a member, or should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// Its row was made.
    Created,
    /// Its row was somebody's who was here already: it was taken over.
    Linked,
    /// Columns were written.
    Updated,
    /// It was archived.
    Archived,
    /// An archive was lifted.
    Unarchived,
    /// One of the two waits for an operator.
    Held,
    /// Nothing could be decided.
    Undecided,
}

impl ChangeKind {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::Created,
        Self::Linked,
        Self::Updated,
        Self::Archived,
        Self::Unarchived,
        Self::Held,
        Self::Undecided,
    ];

    /// The text in `sync_changes.kind`, and a metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Linked => "linked",
            Self::Updated => "updated",
            Self::Archived => "archived",
            Self::Unarchived => "unarchived",
            Self::Held => "held",
            Self::Undecided => "undecided",
        }
    }
}

/// A row to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct SyncChange<'a> {
    /// The campus.
    pub campus: Uuid,
    /// The core's id, or what is known instead of one.
    pub member: &'a str,
    /// What happened.
    pub kind: ChangeKind,
    /// Why.
    pub reason: Option<&'a str>,
    /// Whether an operator let it through: then it does not count towards the archive limit.
    pub is_allowed: bool,
}

impl<'a> SyncChange<'a> {
    /// An archive that was made, or lifted.
    pub(crate) fn of_archive(
        campus: Uuid,
        member: &'a str,
        change: &'a ArchiveChange,
        is_allowed: bool,
    ) -> Self {
        Self { campus, member, kind: change.kind(), reason: change.reason(), is_allowed }
    }
}

impl ArchiveChange {
    /// What it is recorded as, once it is made.
    pub const fn kind(&self) -> ChangeKind {
        match self {
            Self::Archive(_) => ChangeKind::Archived,
            Self::Lift => ChangeKind::Unarchived,
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Archive(reason) => Some(reason),
            Self::Lift => None,
        }
    }
}

const RECORD: &str = "
    INSERT INTO sync_changes (run_id, campus_id, external_member_id, kind, reason, allowed)
    SELECT $1, r.campus, r.member, r.kind, r.reason, r.allowed
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::boolean[])
         AS r(campus, member, kind, reason, allowed)
    ON CONFLICT DO NOTHING";

/// Records changes of a run, or, without one, of events. Each member once in a run for each kind.
pub async fn record_changes(
    client: &impl GenericClient,
    run: Option<Uuid>,
    changes: &[SyncChange<'_>],
) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let campuses: Vec<Uuid> = changes.iter().map(|change| change.campus).collect();
    let members: Vec<&str> = changes.iter().map(|change| change.member).collect();
    let kinds: Vec<&str> = changes.iter().map(|change| change.kind.as_str()).collect();
    let reasons: Vec<Option<&str>> = changes.iter().map(|change| change.reason).collect();
    let allowed: Vec<bool> = changes.iter().map(|change| change.is_allowed).collect();
    client.execute(RECORD, &[&run, &campuses, &members, &kinds, &reasons, &allowed]).await?;
    Ok(())
}

/// How many members of a campus were archived and brought back within the last 24 hours, without those whom an
/// operator let through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ArchivedToday {
    /// Archived, whoever did it.
    pub archived: u64,
    /// Brought back.
    pub unarchived: u64,
}

impl ArchivedToday {
    /// How many of a kind.
    pub(crate) fn of(self, kind: ChangeKind) -> u64 {
        match kind {
            ChangeKind::Archived => self.archived,
            ChangeKind::Unarchived => self.unarchived,
            _ => 0,
        }
    }
}

/// The only place that says how long a day of the archive limit is.
const ARCHIVED_TODAY: &str = "
    SELECT campus_id, count(*) FILTER (WHERE kind = 'archived'), count(*) FILTER (WHERE kind = 'unarchived')
    FROM sync_changes
    WHERE campus_id = ANY($1) AND kind IN ('archived', 'unarchived') AND NOT allowed
      AND changed_at > now() - interval '24 hours'
    GROUP BY campus_id";

/// What counts towards the archive limits of these campuses; those that are missing archived nobody. Exact only
/// under the lock of `archive_limit`.
pub async fn archived_today(
    client: &impl GenericClient,
    campuses: &[Uuid],
) -> Result<HashMap<Uuid, ArchivedToday>, Error> {
    let rows = client.query(ARCHIVED_TODAY, &[&campuses]).await?;
    let count = |row: &database::Row, column: usize| row.get::<_, i64>(column).unsigned_abs();
    Ok(rows
        .iter()
        .map(|row| {
            let today = ArchivedToday { archived: count(row, 1), unarchived: count(row, 2) };
            (row.get(0), today)
        })
        .collect())
}
