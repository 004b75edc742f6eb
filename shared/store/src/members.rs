//! Step 2 of the guarded write: rows of `members`, under the lock that the claim took.

use std::collections::HashMap;

use database::{Client, Error, Row, Statement, Transaction, types::ToSql};
use member::SYNCED_COLUMNS;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::{
    Observation,
    columns::{ColumnArray, Columns, column_list, column_parameters, each_column},
};

/// A row as it stands.
#[derive(Debug, Clone)]
pub(crate) struct Existing {
    pub(crate) id: Uuid,
    pub(crate) columns: Columns,
}

/// A row to write.
#[derive(Debug, Clone)]
pub(crate) struct NewRow<'a> {
    pub(crate) campus: Uuid,
    pub(crate) member: &'a str,
    pub(crate) columns: Columns,
}

pub(crate) struct MemberStatements {
    read: Statement,
    insert: Statement,
    update: Statement,
}

impl MemberStatements {
    pub(crate) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self {
            read: client.prepare(&read_sql(LOCK)).await?,
            insert: client.prepare(&insert_sql()).await?,
            update: client.prepare(&update_sql()).await?,
        })
    }
}

/// The lock that keeps the rows as they are until they are written.
const LOCK: &str = "FOR NO KEY UPDATE";

/// Locks the rows too: a person who archives at this moment is waited for, not overwritten. The lock
/// also keeps the lookup apart for each key, in their order: as a plain join, Postgres may read all
/// of `members` instead.
fn read_sql(lock: &str) -> String {
    let columns = column_list();
    format!(
        "SELECT m.*
         FROM (SELECT * FROM unnest($1::uuid[], $2::text[]) AS k(campus_id, member_id)
               ORDER BY campus_id, member_id COLLATE \"C\") AS k
         CROSS JOIN LATERAL (
             SELECT id, campus_id, external_member_id, {columns}, is_archived, archived_reason,
                    archived_at IS NOT NULL AS has_archive_date
             FROM members WHERE campus_id = k.campus_id AND external_member_id = k.member_id
             {lock}) AS m"
    )
}

/// The parameters of the two statements that follow, in the order of [`write()`].
fn row_arrays() -> String {
    let archive = SYNCED_COLUMNS.len() + 3;
    format!(
        "unnest($1::uuid[], $2::text[], {}, ${archive}::boolean[], ${}::text[])",
        column_parameters(3),
        archive + 1
    )
}

/// Engagement begins by the columns' defaults: the worker's role has no right to set it.
fn insert_sql() -> String {
    let (columns, arrays) = (column_list(), row_arrays());
    format!(
        "INSERT INTO members (campus_id, external_member_id, {columns}, is_archived, archived_reason,
                              archived_at)
         SELECT r.*, CASE WHEN r.is_archived THEN now() END
         FROM {arrays} AS r(campus_id, member_id, {columns}, is_archived, archived_reason)
         RETURNING campus_id, external_member_id, id"
    )
}

/// An upsert of rows that are there and locked: it finds each by the index that makes it unique,
/// whatever Postgres believes of the table.
fn update_sql() -> String {
    let (columns, arrays) = (column_list(), row_arrays());
    let assignments = each_column(|column| format!("{0} = excluded.{0}", column.name));
    format!(
        "INSERT INTO members AS m (campus_id, external_member_id, {columns}, is_archived, archived_reason)
         SELECT * FROM {arrays}
         ON CONFLICT (campus_id, external_member_id) DO UPDATE SET
             {assignments}, is_archived = excluded.is_archived,
             archived_reason = excluded.archived_reason, updated_at = now(),
             archived_at = CASE WHEN excluded.is_archived AND m.is_archived THEN m.archived_at
                                WHEN excluded.is_archived THEN now() END"
    )
}

/// The rows of `observations` that exist, by campus and member.
pub(crate) async fn read(
    transaction: &Transaction<'_>,
    statements: &MemberStatements,
    observations: &[&Observation],
) -> Result<HashMap<(Uuid, String), Existing>, Error> {
    read_with(transaction, &statements.read, observations).await
}

/// The same without locking anything, for whoever only wants to know.
pub(crate) async fn peek(
    client: &Client,
    observations: &[&Observation],
) -> Result<HashMap<(Uuid, String), Existing>, Error> {
    let statement = client.prepare(&read_sql("")).await?;
    read_with(client, &statement, observations).await
}

async fn read_with(
    client: &impl GenericClient,
    statement: &Statement,
    observations: &[&Observation],
) -> Result<HashMap<(Uuid, String), Existing>, Error> {
    let campuses: Vec<Uuid> = observations.iter().map(|o| o.campus).collect();
    let members: Vec<&str> = observations.iter().map(|o| o.member.as_str()).collect();
    let rows = client.query(statement, &[&campuses, &members]).await?;
    Ok(rows.iter().map(|row| ((row.get(1), row.get(2)), existing(row))).collect())
}

fn existing(row: &Row) -> Existing {
    Existing { id: row.get("id"), columns: Columns::of(row) }
}

/// Inserts rows and answers their ids, by campus and member. Fails where somebody made one by hand
/// since they were read (23505); the batch is then repeated.
pub(crate) async fn insert(
    transaction: &Transaction<'_>,
    statements: &MemberStatements,
    rows: &[NewRow<'_>],
) -> Result<HashMap<(Uuid, String), Uuid>, Error> {
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let answered = write(transaction, &statements.insert, rows).await?;
    Ok(answered.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect())
}

/// Updates rows that exist.
pub(crate) async fn update(
    transaction: &Transaction<'_>,
    statements: &MemberStatements,
    rows: &[NewRow<'_>],
) -> Result<(), Error> {
    if !rows.is_empty() {
        write(transaction, &statements.update, rows).await?;
    }
    Ok(())
}

/// Runs a statement that takes [`row_arrays`].
async fn write(
    transaction: &Transaction<'_>,
    statement: &Statement,
    rows: &[NewRow<'_>],
) -> Result<Vec<Row>, Error> {
    let campuses: Vec<Uuid> = rows.iter().map(|row| row.campus).collect();
    let members: Vec<&str> = rows.iter().map(|row| row.member).collect();
    let columns: Vec<&Columns> = rows.iter().map(|row| &row.columns).collect();
    let archived: Vec<bool> = columns.iter().map(|columns| columns.is_archived).collect();
    let reasons: Vec<Option<&str>> =
        columns.iter().map(|columns| columns.archived_reason.as_deref()).collect();
    let synced = ColumnArray::each(&columns);
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&campuses, &members];
    parameters.extend(synced.iter().map(ColumnArray::parameter));
    parameters.extend([&archived as &(dyn ToSql + Sync), &reasons]);
    Ok(transaction.query(statement, &parameters).await?)
}
