//! The difference between the staged list and the campus's members: found by a join, before
//! anything is written, so that a night without drift writes nothing at all.
//! What an id decided is remembered (rule reconciler-3).

use chrono::NaiveDate;
use database::{Client, DatabaseError};
use member::{ArchiveReason, PHOTO_BIT, SyncedColumn};
use uuid::Uuid;

/// When the sync filter may decide otherwise about members although the core says the same of them.
#[derive(Debug, Default)]
pub(crate) struct Birthdays {
    members: Vec<String>,
    days: Vec<NaiveDate>,
}

impl Birthdays {
    /// Puts a member's down, where there is one; of several the last counts.
    pub(crate) fn note(&mut self, member: &str, birthday: Option<NaiveDate>) {
        if let Some(birthday) = birthday {
            self.members.push(member.to_owned());
            self.days.push(birthday);
        }
    }
}

/// What the difference is looked for with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison {
    pub(crate) campus: Uuid,
    pub(crate) config_version: i64,
    /// The campus's date: on a birthday what was remembered ends.
    pub(crate) today: NaiveDate,
    /// Whether the list's rows have what the sync filter asks for. If not, only the id can tell who
    /// is kept.
    pub(crate) is_filterable: bool,
    /// Whether the list's rows have all that a member is created from. If not, somebody who was never heard of
    /// is asked for.
    pub(crate) is_complete: bool,
}

/// What the comparison found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Differences {
    /// Active members here that have an id in the core.
    pub(crate) active: u64,
    /// Members that were never heard of, to be created from their row in the list.
    pub(crate) unseen: u64,
    /// Members that only their id can decide about.
    pub(crate) doubtful: u64,
    /// Active members here that are not in the list.
    pub(crate) absent: u64,
}

impl Differences {
    pub(crate) fn to_be_asked_for(self) -> u64 {
        self.doubtful + self.absent
    }
}

/// The list's rows beside the campus's, in `$1`.
const JOINED: &str = "
    listed l
    LEFT JOIN members m ON m.campus_id = $1 AND m.external_member_id = l.member
    LEFT JOIN member_photos p ON p.member_id = m.id
    LEFT JOIN reconciled_rows r ON r.campus_id = $1 AND r.external_member_id = l.member";

/// The compared columns of a table, `l` for the list's and `m` for the campus's, with commas between.
fn columns_of(table: &str) -> String {
    let columns: Vec<String> =
        SyncedColumn::compared().map(|column| format!("{table}.{}", column.name)).collect();
    columns.join(", ")
}

/// The row in `members` as it was when its id decided.
fn row_hash() -> String {
    let columns = columns_of("m");
    format!(
        "CASE WHEN m.id IS NOT NULL THEN
             md5(ROW({columns}, m.is_archived, m.archived_reason, p.sha256)::text) END"
    )
}

/// Whether a row of the list and the row here disagree, `$2` saying whether the filter can be
/// believed. An archive by a person is nobody else's business.
fn disagrees() -> String {
    let [deleted, inactive, filtered] = [
        ArchiveReason::Deleted.as_str(),
        ArchiveReason::Deactivated.as_str(),
        ArchiveReason::Filtered.as_str(),
    ];
    let differs = |bit: i32, listed: &str, here: &str| {
        format!("(l.present_columns & {bit} <> 0 AND l.{listed} IS DISTINCT FROM {here})")
    };
    let mut columns: Vec<String> = SyncedColumn::compared()
        .map(|column| differs(column.presence_bit, column.name, &format!("m.{}", column.name)))
        .collect();
    columns.push(differs(PHOTO_BIT, "photo", "p.sha256"));
    let columns = columns.join(" OR ");
    format!(
        "CASE
           WHEN m.id IS NULL THEN l.state = 'u' OR (NOT $2 AND l.state <> 'd') OR l.state IN ('a', 'i')
           WHEN l.state = 'u' OR (NOT $2 AND l.state <> 'd') THEN true
           ELSE (l.state <> 'd' AND ({columns}))
             OR (NOT (m.is_archived
                      AND coalesce(m.archived_reason NOT IN ('{deleted}', '{inactive}', '{filtered}'), true))
                 AND CASE WHEN m.is_archived THEN m.archived_reason END IS DISTINCT FROM
                     CASE l.state WHEN 'd' THEN '{deleted}' WHEN 'i' THEN '{inactive}'
                                     WHEN 'f' THEN '{filtered}' END)
         END"
    )
}

/// Whether a row of the list and the row here are surely the same: an active member who is active here, with
/// the same columns. So is nearly everybody, and this is told in a fraction of the time of [`disagrees`].
fn same() -> String {
    let (listed, here) = (columns_of("l"), columns_of("m"));
    format!(
        "$2 AND l.state = 'a' AND NOT m.is_archived
         AND ({listed}, l.photo) IS NOT DISTINCT FROM ({here}, p.sha256)"
    )
}

/// Finds the candidates, in one pass over the campus's members: they are scattered over the table, and
/// reading them is most of the work.
///
/// Never heard of is who has neither a row nor a past: a tombstone, or somebody whom the filter kept
/// out, is asked for by id. Absent is who is not listed; rows without the core's id were made by hand,
/// and who is archived already stays so.
pub(crate) async fn find(
    client: &Client,
    question: &Comparison,
) -> Result<Differences, DatabaseError> {
    let failed = || DatabaseError::during("compare the list with the members");
    let (same, disagrees, row_hash) = (same(), disagrees(), row_hash());
    let columns = columns_of("members");
    let statement = format!(
        "WITH compared AS (
             SELECT l.member AS listed, m.external_member_id AS here, m.is_archived,
                    CASE WHEN l.member IS NULL THEN CASE WHEN NOT m.is_archived THEN 'absent' END
                         WHEN {same} THEN NULL
                         WHEN {disagrees}
                              AND NOT (r.list_hash IS NOT DISTINCT FROM l.hash AND r.config_version = $3
                                       AND coalesce(r.until > $5, true)
                                       AND r.row_hash IS NOT DISTINCT FROM {row_hash})
                         THEN CASE WHEN m.id IS NULL AND $2 AND $4 AND l.state IN ('a', 'i')
                                        AND NOT EXISTS (SELECT FROM member_sync s
                                                        WHERE s.campus_id = $1
                                                          AND s.external_member_id = l.member)
                                   THEN 'unseen' ELSE 'doubtful' END
                    END AS reason
             FROM listed l
             FULL JOIN (SELECT id, external_member_id, {columns}, is_archived, archived_reason
                        FROM members WHERE campus_id = $1 AND external_member_id IS NOT NULL) m
                    ON m.external_member_id = l.member
             LEFT JOIN (SELECT member_id, sha256 FROM member_photos WHERE campus_id = $1) p ON p.member_id = m.id
             LEFT JOIN reconciled_rows r ON r.campus_id = $1 AND r.external_member_id = l.member
         ), found AS (
             INSERT INTO candidates (member, reason)
             SELECT coalesce(listed, here), reason FROM compared WHERE reason IS NOT NULL
         )
         SELECT count(*) FILTER (WHERE here IS NOT NULL AND NOT is_archived),
                count(*) FILTER (WHERE reason = 'unseen'), count(*) FILTER (WHERE reason = 'doubtful'),
                count(*) FILTER (WHERE reason = 'absent') FROM compared"
    );
    let row = client
        .query_one(
            &statement,
            &[
                &question.campus,
                &question.is_filterable,
                &question.config_version,
                &question.is_complete,
                &question.today,
            ],
        )
        .await
        .map_err(failed())?;
    let count = |column: usize| row.get::<_, i64>(column).unsigned_abs();
    let compared =
        Differences { active: count(0), unseen: count(1), doubtful: count(2), absent: count(3) };
    if compared.unseen + compared.to_be_asked_for() > 0 {
        let order = "CREATE UNIQUE INDEX ON candidates (reason, member); ANALYZE candidates";
        client.batch_execute(order).await.map_err(failed())?;
    }
    if compared.unseen + compared.doubtful > 0 {
        // Each batch looks up its own rows; a night without drift needs none of this.
        let indexes = "CREATE INDEX ON listed (member); CREATE INDEX ON listed_photos (member);
                       ANALYZE listed (member)";
        client.batch_execute(indexes).await.map_err(failed())?;
    }
    Ok(compared)
}

/// Remembers what the ids of these members decided, where their rows in the list still say
/// something else: they are not asked for again before something changes, or a birthday comes.
pub(crate) async fn remember(
    client: &Client,
    question: &Comparison,
    members: &[&str],
    birthdays: &Birthdays,
) -> Result<(), DatabaseError> {
    let statement = format!(
        "INSERT INTO reconciled_rows AS old
             (campus_id, external_member_id, list_hash, config_version, row_hash, until)
         SELECT $1, l.member, l.hash, $3, {row_hash}, b.day FROM {JOINED}
         LEFT JOIN (SELECT member, max(day) AS day FROM unnest($5::text[], $6::date[]) AS noted(member, day)
                    GROUP BY member) AS b ON b.member = l.member
         WHERE l.member = ANY($4) AND {disagrees}
         ON CONFLICT (campus_id, external_member_id) DO UPDATE SET
             list_hash = excluded.list_hash, config_version = excluded.config_version,
             row_hash = excluded.row_hash, until = excluded.until",
        row_hash = row_hash(),
        disagrees = disagrees(),
    );
    client
        .execute(
            &statement,
            &[
                &question.campus,
                &question.is_filterable,
                &question.config_version,
                &members,
                &birthdays.members,
                &birthdays.days,
            ],
        )
        .await
        .map_err(DatabaseError::during("remember what the core said of members"))?;
    Ok(())
}

/// Forgets what was remembered of members that are not listed any more, or under another
/// configuration.
pub(crate) async fn forget(client: &Client, question: &Comparison) -> Result<(), DatabaseError> {
    let statement = "
        DELETE FROM reconciled_rows r WHERE campus_id = $1
          AND (config_version <> $2
               OR NOT EXISTS (SELECT FROM listed l WHERE l.member = r.external_member_id))";
    client
        .execute(statement, &[&question.campus, &question.config_version])
        .await
        .map_err(DatabaseError::during("forget what was said of members that are gone"))?;
    Ok(())
}
