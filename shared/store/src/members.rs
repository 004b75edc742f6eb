//! Step 2 of the guarded write: rows of `members`, under the lock that the claim took.

use std::collections::HashMap;

use chrono::NaiveDate;
use database::{Client, Error, Row, Statement, Transaction};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::{Observation, decide::Columns};

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
            read: client.prepare(READ).await?,
            insert: client.prepare(INSERT).await?,
            update: client.prepare(UPDATE).await?,
        })
    }
}

/// Locks the rows too: a person who archives at this moment is waited for, not overwritten. The lock
/// also keeps the lookup apart for each key, in their order: as a plain join, Postgres may read all
/// of `members` instead.
const READ: &str = "
    SELECT m.*
    FROM (SELECT * FROM unnest($1::uuid[], $2::text[]) AS k(campus_id, member_id)
          ORDER BY campus_id, member_id COLLATE \"C\") AS k
    CROSS JOIN LATERAL (
        SELECT id, campus_id, external_member_id, name, phone, gender, birth_date, age, photo_url,
               category, is_archived, archived_reason, archived_at IS NOT NULL AS has_archive_date
        FROM members WHERE campus_id = k.campus_id AND external_member_id = k.member_id
        FOR NO KEY UPDATE) AS m";

const LOCK: &str = "FOR NO KEY UPDATE";

/// Engagement begins by the columns' defaults: the worker's role has no right to set it.
const INSERT: &str = "
    INSERT INTO members (campus_id, external_member_id, name, phone, gender, birth_date, age,
                         photo_url, category, is_archived, archived_reason, archived_at)
    SELECT r.*, CASE WHEN r.is_archived THEN now() END
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::date[], $7::integer[],
                $8::text[], $9::text[], $10::boolean[], $11::text[])
         AS r(campus_id, member_id, name, phone, gender, birth_date, age, photo_url, category,
              is_archived, archived_reason)
    RETURNING campus_id, external_member_id, id";

/// An upsert of rows that are there and locked: it finds each by the index that makes it unique,
/// whatever Postgres believes of the table.
const UPDATE: &str = "
    INSERT INTO members AS m (campus_id, external_member_id, name, phone, gender, birth_date, age,
                              photo_url, category, is_archived, archived_reason)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::date[],
                         $7::integer[], $8::text[], $9::text[], $10::boolean[], $11::text[])
    ON CONFLICT (campus_id, external_member_id) DO UPDATE SET
        name = excluded.name, phone = excluded.phone, gender = excluded.gender,
        birth_date = excluded.birth_date, age = excluded.age, photo_url = excluded.photo_url,
        category = excluded.category, is_archived = excluded.is_archived,
        archived_reason = excluded.archived_reason, updated_at = now(),
        archived_at = CASE WHEN excluded.is_archived AND m.is_archived THEN m.archived_at
                           WHEN excluded.is_archived THEN now() END";

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
    let statement = client.prepare(&READ.replace(LOCK, "")).await?;
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
    Existing { id: row.get("id"), columns: columns(row) }
}

/// The synced columns of a row.
pub(crate) fn columns(row: &Row) -> Columns {
    Columns {
        name: row.get("name"),
        phone: row.get("phone"),
        gender: row.get("gender"),
        birth_date: row.get("birth_date"),
        age: row.get("age"),
        photo_url: row.get("photo_url"),
        category: row.get("category"),
        is_archived: row.get("is_archived"),
        has_archive_date: row.get("has_archive_date"),
        archived_reason: row.get("archived_reason"),
    }
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
    let answered = Arrays::of(rows).query(transaction, &statements.insert).await?;
    Ok(answered.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect())
}

/// Updates rows that exist.
pub(crate) async fn update(
    transaction: &Transaction<'_>,
    statements: &MemberStatements,
    rows: &[NewRow<'_>],
) -> Result<(), Error> {
    if !rows.is_empty() {
        Arrays::of(rows).query(transaction, &statements.update).await?;
    }
    Ok(())
}

/// The rows' columns as parameters, in the order that both statements take.
struct Arrays<'a> {
    campuses: Vec<Uuid>,
    members: Vec<&'a str>,
    names: Vec<Option<&'a str>>,
    phones: Vec<Option<&'a str>>,
    genders: Vec<Option<&'a str>>,
    birth_dates: Vec<Option<NaiveDate>>,
    ages: Vec<Option<i32>>,
    photo_urls: Vec<Option<&'a str>>,
    categories: Vec<Option<&'a str>>,
    archived: Vec<bool>,
    reasons: Vec<Option<&'a str>>,
}

impl<'a> Arrays<'a> {
    fn of(rows: &'a [NewRow<'a>]) -> Self {
        let columns = || rows.iter().map(|row| &row.columns);
        Self {
            campuses: rows.iter().map(|row| row.campus).collect(),
            members: rows.iter().map(|row| row.member).collect(),
            names: columns().map(|c| c.name.as_deref()).collect(),
            phones: columns().map(|c| c.phone.as_deref()).collect(),
            genders: columns().map(|c| c.gender.as_deref()).collect(),
            birth_dates: columns().map(|c| c.birth_date).collect(),
            ages: columns().map(|c| c.age).collect(),
            photo_urls: columns().map(|c| c.photo_url.as_deref()).collect(),
            categories: columns().map(|c| c.category.as_deref()).collect(),
            archived: columns().map(|c| c.is_archived).collect(),
            reasons: columns().map(|c| c.archived_reason.as_deref()).collect(),
        }
    }

    async fn query(
        &self,
        transaction: &Transaction<'_>,
        statement: &Statement,
    ) -> Result<Vec<Row>, Error> {
        Ok(transaction
            .query(
                statement,
                &[
                    &self.campuses,
                    &self.members,
                    &self.names,
                    &self.phones,
                    &self.genders,
                    &self.birth_dates,
                    &self.ages,
                    &self.photo_urls,
                    &self.categories,
                    &self.archived,
                    &self.reasons,
                ],
            )
            .await?)
    }
}
