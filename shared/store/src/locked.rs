//! Rows that somebody else has locked, found without waiting for any of them (rule store-6): each
//! would be waited for in turn otherwise, and every other row of the batch with it.

use std::collections::HashSet;

use database::{Client, Error, Statement, Transaction};
use uuid::Uuid;

use crate::Observation;

/// Takes the locks that are to be had, and answers the keys of the others. Locks that are skipped
/// cannot lead to a deadlock, whatever the order.
const SKIP: &str = "
    SELECT k.campus_id, k.member_id
    FROM (SELECT * FROM unnest($1::uuid[], $2::text[]) AS k(campus_id, member_id)
          ORDER BY campus_id, member_id COLLATE \"C\") AS k
    LEFT JOIN LATERAL (
        SELECT true AS ours FROM member_sync
        WHERE campus_id = k.campus_id AND external_member_id = k.member_id
        FOR NO KEY UPDATE SKIP LOCKED) AS sync ON true
    LEFT JOIN LATERAL (
        SELECT true AS ours FROM members
        WHERE campus_id = k.campus_id AND external_member_id = k.member_id
        FOR NO KEY UPDATE SKIP LOCKED) AS row ON true
    WHERE (sync.ours IS NULL AND EXISTS (
              SELECT FROM member_sync s
              WHERE s.campus_id = k.campus_id AND s.external_member_id = k.member_id))
       OR (row.ours IS NULL AND EXISTS (
              SELECT FROM members m
              WHERE m.campus_id = k.campus_id AND m.external_member_id = k.member_id))";

pub(crate) struct SkipStatement(Statement);

impl SkipStatement {
    pub(crate) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self(client.prepare(SKIP).await?))
    }
}

/// The keys among `observations` whose rows somebody else has locked.
pub(crate) async fn find(
    transaction: &Transaction<'_>,
    statement: &SkipStatement,
    observations: &[&Observation],
) -> Result<HashSet<(Uuid, String)>, Error> {
    let campuses: Vec<Uuid> = observations.iter().map(|o| o.campus).collect();
    let members: Vec<&str> = observations.iter().map(|o| o.member.as_str()).collect();
    let rows = transaction.query(&statement.0, &[&campuses, &members]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
