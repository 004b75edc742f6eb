//! Archives, and returns from them, that the ids asked for: put down while everything else is repaired, then
//! held for an operator or made.

use database::DatabaseError;
use store::{ArchiveChange, ChangeKind};

use crate::{error::RunError, repair::apply::BATCH, run::reconcile::Run};

/// The reason that is shown of whoever would come back.
const RETURN: &str = "Active in core system";
/// The reason that is shown of whoever the core has in another church.
pub(crate) const MOVED: &str = "Moved to another church in core system";

const MAKE: &str = r#"
    CREATE TEMPORARY TABLE pending (
        member     text COLLATE "C" PRIMARY KEY,
        kind       text NOT NULL,                  -- archived, unarchived
        reason     text NOT NULL,
        needs_word boolean NOT NULL,               -- however few they are
        allowed    boolean NOT NULL DEFAULT false, -- by an operator
        state      text NOT NULL DEFAULT 'open'    -- open, held, done
    )"#;

/// Who is archived here already has nothing to wait for.
const PUT_MOVED: &str = "
    INSERT INTO pending (member, kind, reason, needs_word)
    SELECT external_member_id, 'archived', $3, true FROM members
    WHERE campus_id = $1 AND external_member_id = ANY($2) AND NOT is_archived";

const PUT: &str = "
    INSERT INTO pending (member, kind, reason, needs_word)
    SELECT *, false FROM unnest($1::text[], $2::text[], $3::text[])";

const ALLOW: &str = "
    UPDATE pending SET allowed = true FROM sync_changes s
    WHERE s.run_id = $1 AND s.kind = 'held' AND s.external_member_id = member";

/// Of each kind those that the brake may hold, and all.
const WEIGH: &str = "
    SELECT count(*) FILTER (WHERE kind = 'archived' AND NOT allowed AND NOT needs_word),
           count(*) FILTER (WHERE kind = 'unarchived' AND NOT allowed AND NOT needs_word),
           count(*) FROM pending";

const HOLD: &str = "
    WITH held AS (
        UPDATE pending SET state = 'held'
        WHERE state = 'open' AND NOT allowed AND (needs_word OR kind = ANY($1)) RETURNING member, reason
    )
    SELECT member, reason FROM held ORDER BY member";

const RECORD: &str = "
    INSERT INTO sync_changes (run_id, campus_id, external_member_id, kind, reason)
    SELECT $1, $2, r.member, 'held', r.reason FROM unnest($3::text[], $4::text[]) AS r(member, reason)
    ON CONFLICT DO NOTHING";

/// Whom an operator let through comes first: what others lack must not keep them waiting.
const NEXT: &str = "
    SELECT member, kind, reason, allowed FROM pending
    WHERE state = 'open' ORDER BY NOT allowed, member LIMIT $1";

/// How many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Archives that nobody let through.
    pub(crate) archives: u64,
    /// Returns that nobody let through.
    pub(crate) returns: u64,
    pub(crate) all: u64,
}

/// One that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) member: String,
    pub(crate) kind: ChangeKind,
    pub(crate) reason: String,
    pub(crate) is_allowed: bool,
}

/// Makes the table.
pub(crate) async fn prepare(run: &Run) -> Result<(), DatabaseError> {
    let failed = DatabaseError::during("make a staging table");
    run.session.client().batch_execute(MAKE).await.map_err(failed)
}

/// Puts down what was withheld.
pub(crate) async fn put(
    run: &Run,
    withheld: &[(&str, &ArchiveChange)],
) -> Result<(), DatabaseError> {
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
    run.session.client().execute(PUT, &[&members, &kinds, &reasons]).await.map_err(failed)?;
    Ok(())
}

/// Puts down members whom the core has in another church by now: only an operator knows what is to
/// become of them here.
pub(crate) async fn put_moved(run: &Run, members: &[&str]) -> Result<(), DatabaseError> {
    if members.is_empty() {
        return Ok(());
    }
    let failed = DatabaseError::during("put down who moved");
    let client = run.session.client();
    client.execute(PUT_MOVED, &[&run.campus.id, &members, &MOVED]).await.map_err(failed)?;
    Ok(())
}

/// Takes out ids that no row has any more.
pub(crate) async fn drop(run: &Run, members: &[&str]) -> Result<(), DatabaseError> {
    if members.is_empty() {
        return Ok(());
    }
    let drop = "DELETE FROM pending WHERE member = ANY($1)";
    let failed = DatabaseError::during("put down whose row was taken over");
    run.session.client().execute(drop, &[&members]).await.map_err(failed)?;
    Ok(())
}

/// Notes whom an operator let through, and counts.
pub(crate) async fn weigh(run: &Run) -> Result<Weight, DatabaseError> {
    let failed = || DatabaseError::during("count who is gone");
    let client = run.session.client();
    if let Some(permit) = &run.permit {
        client.execute(ALLOW, &[&permit.run]).await.map_err(failed())?;
    }
    let row = client.query_one(WEIGH, &[]).await.map_err(failed())?;
    let count = |column: usize| row.get::<_, i64>(column).unsigned_abs();
    Ok(Weight { archives: count(0), returns: count(1), all: count(2) })
}

/// Holds everybody of these kinds, and whoever needs an operator's word, unless one let them through, and
/// says who they are.
pub(crate) async fn hold(run: &mut Run, kinds: &[&str]) -> Result<(), RunError> {
    let failed = || DatabaseError::during("put down who is held");
    let client = run.session.client();
    let rows = client.query(HOLD, &[&kinds]).await.map_err(failed())?;
    for row in &rows {
        let reason: &str = row.get("reason");
        run.tally.count(ChangeKind::Held, row.get("member"), Some(reason));
        run.tally.moved += u64::from(reason == MOVED);
    }
    if let Some(log) = run.log {
        let members: Vec<&str> = rows.iter().map(|row| row.get("member")).collect();
        let reasons: Vec<&str> = rows.iter().map(|row| row.get("reason")).collect();
        let campus = run.campus.id;
        client.execute(RECORD, &[&log, &campus, &members, &reasons]).await.map_err(failed())?;
    }
    Ok(())
}

/// The next that are to be made.
pub(crate) async fn next(run: &Run) -> Result<Vec<Pending>, DatabaseError> {
    let failed = DatabaseError::during("read whom to archive");
    let rows = run.session.client().query(NEXT, &[&BATCH]).await.map_err(failed)?;
    let pending = |row: &database::Row| Pending {
        member: row.get("member"),
        kind: if row.get::<_, &str>("kind") == "archived" {
            ChangeKind::Archived
        } else {
            ChangeKind::Unarchived
        },
        reason: row.get("reason"),
        is_allowed: row.get("allowed"),
    };
    Ok(rows.iter().map(pending).collect())
}

/// Nothing is left to be done for these.
pub(crate) async fn done(run: &Run, members: &[&str]) -> Result<(), DatabaseError> {
    let done = "UPDATE pending SET state = 'done' WHERE member = ANY($1)";
    let failed = DatabaseError::during("put down who is archived");
    run.session.client().execute(done, &[&members]).await.map_err(failed)?;
    Ok(())
}
