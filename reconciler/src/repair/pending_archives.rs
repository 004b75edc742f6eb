//! Archives, and returns from them, that the ids asked for: put down while everything else is repaired, then
//! held for an operator or made. No other file writes this table's name (rule reconciler-15).

use database::{Client, DatabaseError, Row};
use store::{ArchiveChange, ChangeKind};
use uuid::Uuid;

use super::batches::Batches;

/// The reason that is shown of whoever would come back.
const RETURN: &str = "Active in core system";
/// The reason that is shown of whoever the core has in another church.
pub(super) const MOVED: &str = "Moved to another church in core system";

const CREATE: &str = r#"
    CREATE TEMPORARY TABLE pending_archives (
        member         text COLLATE "C" PRIMARY KEY,
        kind           text NOT NULL,                  -- archived, unarchived
        reason         text NOT NULL,
        needs_approval boolean NOT NULL,               -- however few they are
        approved       boolean NOT NULL DEFAULT false, -- by an operator
        held           boolean NOT NULL DEFAULT false
    )"#;

const ADD: &str = "
    INSERT INTO pending_archives (member, kind, reason, needs_approval)
    SELECT *, false FROM unnest($1::text[], $2::text[], $3::text[])";

/// Who is archived here already has nothing to wait for.
const ADD_MOVED: &str = "
    INSERT INTO pending_archives (member, kind, reason, needs_approval)
    SELECT external_member_id, 'archived', $3, true FROM members
    WHERE campus_id = $1 AND external_member_id = ANY($2) AND NOT is_archived";

const REMOVE: &str = "DELETE FROM pending_archives WHERE member = ANY($1)";

const APPROVE: &str = "
    UPDATE pending_archives SET approved = true FROM sync_changes s
    WHERE s.run_id = $1 AND s.kind = 'held' AND s.external_member_id = member";

/// Of each kind those that the limit may hold, and all.
const COUNTS: &str = "
    SELECT count(*) FILTER (WHERE kind = 'archived' AND NOT approved AND NOT needs_approval),
           count(*) FILTER (WHERE kind = 'unarchived' AND NOT approved AND NOT needs_approval),
           count(*) FROM pending_archives";

/// Whom an operator let through comes first: what others lack must not keep them waiting.
macro_rules! key {
    () => {
        "(CASE WHEN approved THEN 'approved' ELSE 'others' END, member)"
    };
}

const HOLD: &str = concat!(
    "WITH newly AS (
         UPDATE pending_archives SET held = true
         WHERE ",
    key!(),
    " > ($1, $2) AND NOT held AND NOT approved AND (needs_approval OR kind = ANY($3))
         RETURNING member, reason
     )
     SELECT member, reason FROM newly ORDER BY member"
);

const NEXT: &str = concat!(
    "SELECT member, kind, reason, approved FROM pending_archives WHERE NOT held AND ",
    key!(),
    " > ($1, $2) ORDER BY ",
    key!(),
    " LIMIT $3"
);

/// Archives and returns that wait.
pub(super) struct PendingArchives<'a> {
    client: &'a Client,
    campus: Uuid,
    batches: Batches,
}

/// How many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PendingCounts {
    /// Archives that no operator let through.
    pub(super) archives: u64,
    /// Returns that no operator let through.
    pub(super) returns: u64,
    pub(super) all: u64,
}

/// One that is to be made.
#[derive(Debug, Clone)]
pub(super) struct PendingArchive {
    pub(super) member: String,
    pub(super) kind: ChangeKind,
    pub(super) reason: String,
    pub(super) is_approved: bool,
}

/// One that waits for an operator.
#[derive(Debug, Clone)]
pub(super) struct HeldArchive {
    pub(super) member: String,
    pub(super) reason: String,
}

impl<'a> PendingArchives<'a> {
    /// Creates the table, on the session that has the staged list.
    pub(super) async fn create(client: &'a Client, campus: Uuid) -> Result<Self, DatabaseError> {
        let failed = DatabaseError::during("make a staging table");
        client.batch_execute(CREATE).await.map_err(failed)?;
        Ok(Self { client, campus, batches: Batches::of(NEXT) })
    }

    /// Adds what was withheld.
    pub(super) async fn add(
        &self,
        withheld: &[(&str, &ArchiveChange)],
    ) -> Result<(), DatabaseError> {
        if withheld.is_empty() {
            return Ok(());
        }
        let members: Vec<&str> = withheld.iter().map(|(member, _)| *member).collect();
        let kinds: Vec<&str> = withheld.iter().map(|(_, change)| change.kind().as_str()).collect();
        let reasons: Vec<&str> = withheld
            .iter()
            .map(|(_, change)| match change {
                ArchiveChange::Archive(reason) => reason.as_str(),
                ArchiveChange::Lift => RETURN,
            })
            .collect();
        let failed = DatabaseError::during("put down who is gone");
        self.client.execute(ADD, &[&members, &kinds, &reasons]).await.map_err(failed)?;
        Ok(())
    }

    /// Adds members whom the core has in another church by now: only an operator knows what is to become of them
    /// here.
    pub(super) async fn add_moved(&self, members: &[&str]) -> Result<(), DatabaseError> {
        if members.is_empty() {
            return Ok(());
        }
        let failed = DatabaseError::during("put down who moved");
        let client = self.client;
        client.execute(ADD_MOVED, &[&self.campus, &members, &MOVED]).await.map_err(failed)?;
        Ok(())
    }

    /// Removes ids that no row has any more.
    pub(super) async fn remove(&self, members: &[&str]) -> Result<(), DatabaseError> {
        if members.is_empty() {
            return Ok(());
        }
        let failed = DatabaseError::during("put down whose row was taken over");
        self.client.execute(REMOVE, &[&members]).await.map_err(failed)?;
        Ok(())
    }

    /// Lets through those whom this run held.
    pub(super) async fn approve(&self, held_by: Uuid) -> Result<(), DatabaseError> {
        let failed = DatabaseError::during("put down who is let through");
        self.client.execute(APPROVE, &[&held_by]).await.map_err(failed)?;
        Ok(())
    }

    /// How many wait.
    pub(super) async fn counts(&self) -> Result<PendingCounts, DatabaseError> {
        let failed = DatabaseError::during("count who is gone");
        let row = self.client.query_one(COUNTS, &[]).await.map_err(failed)?;
        let count = |column: usize| row.get::<_, i64>(column).unsigned_abs();
        Ok(PendingCounts { archives: count(0), returns: count(1), all: count(2) })
    }

    /// Holds everybody of these kinds, and whoever needs an operator's approval, unless they have it or are done
    /// already. Answers who they are.
    pub(super) async fn hold(
        &self,
        kinds: &[ChangeKind],
    ) -> Result<Vec<HeldArchive>, DatabaseError> {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let (group, member) = self.batches.passed();
        let failed = DatabaseError::during("put down who is held");
        let rows = self.client.query(HOLD, &[&group, &member, &kinds]).await.map_err(failed)?;
        let held = |row: &Row| HeldArchive { member: row.get("member"), reason: row.get("reason") };
        Ok(rows.iter().map(held).collect())
    }

    /// The next that are to be made; the same again until they are done.
    pub(super) async fn next_batch(&self) -> Result<Vec<PendingArchive>, DatabaseError> {
        let failed = DatabaseError::during("read whom to archive");
        let rows = self.batches.read(self.client, &[]).await.map_err(failed)?;
        let pending = |row: &Row| PendingArchive {
            member: row.get("member"),
            kind: if row.get::<_, &str>("kind") == ChangeKind::Archived.as_str() {
                ChangeKind::Archived
            } else {
                ChangeKind::Unarchived
            },
            reason: row.get("reason"),
            is_approved: row.get("approved"),
        };
        Ok(rows.iter().map(pending).collect())
    }

    /// Everybody up to this one of the batch is done.
    pub(super) fn done(&mut self, last: &PendingArchive) {
        let group = if last.is_approved { "approved" } else { "others" };
        self.batches.pass(group, &last.member);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// The files under `folder` with a statement about the table.
    fn files_with_statements(folder: &Path, found: &mut Vec<String>) {
        let words = ["TABLE", "INTO", "FROM", "UPDATE"];
        let statements = words.map(|word| format!("{word} pending_archives"));
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files_with_statements(&path, found);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                if statements.iter().any(|statement| text.contains(statement)) {
                    found.push(path.file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
    }

    #[test]
    fn no_other_file_writes_the_tables_name() {
        let mut found = Vec::new();
        files_with_statements(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert_eq!(found, ["pending_archives.rs"]);
    }
}
