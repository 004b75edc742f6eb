//! Step 1 of the guarded write: the claim (rules store-1 and store-4). The only place that locks
//! `member_sync`, always in one order.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use database::{Client, Error, Statement, Transaction};
use uuid::Uuid;

use crate::Observation;

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nothing that ended after this read began was applied before: write it.
    Applied,
    /// The same, of a member that was never heard of.
    First,
    /// A read that began after these deliveries were first admitted is in already.
    Covered,
    /// Something else was applied meanwhile: read again.
    Refused,
    /// The campus's configuration is another one than that of the read, or it is paused: read again, under that.
    Outdated,
}

pub(crate) struct ClaimStatement(Statement);

impl ClaimStatement {
    pub(crate) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self(client.prepare(CLAIM).await?))
    }
}

/// Only what was read under the configuration that is in force: `campus_lock` keeps it so until the
/// commit. The sequence orders reads; the clocks of sender and gateway only raise doubt about a delete that
/// nobody asked the core about.
const CLAIM: &str = r#"
    INSERT INTO member_sync AS s (campus_id, external_member_id, seen_from, seen_to, gone, unasked,
                                  last_occurred_at, last_received_at)
    SELECT r.campus_id, r.member_id, r.seen_from, nextval('observation'), r.gone, r.unasked,
           r.occurred_at, r.received_at
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[], $5::boolean[],
                $6::timestamptz[], $7::timestamptz[], $8::bigint[])
         AS r(campus_id, member_id, seen_from, gone, unasked, occurred_at, received_at, config_version)
    JOIN sync_configs c ON c.campus_id = r.campus_id AND c.synced_version = r.config_version
                       AND c.paused_at IS NULL
    ORDER BY r.campus_id, r.member_id COLLATE "C"
    ON CONFLICT (campus_id, external_member_id) DO UPDATE SET
        (seen_from, seen_to, gone, unasked) = (
            SELECT v.seen_from, v.seen_to, v.gone, v.unasked
            FROM (VALUES (true,  excluded.seen_from, excluded.seen_to, excluded.gone, excluded.unasked),
                         (false, s.seen_from,        s.seen_to,        s.gone,        s.unasked))
                 AS v(taken, seen_from, seen_to, gone, unasked)
            WHERE v.taken = (
                s.seen_to < excluded.seen_from
                AND NOT (excluded.unasked AND coalesce(
                    CASE WHEN s.last_occurred_at IS NOT NULL AND excluded.last_occurred_at IS NOT NULL
                         THEN s.last_occurred_at > excluded.last_occurred_at
                         ELSE s.last_received_at > excluded.last_received_at END, false)))),
        last_occurred_at = greatest(s.last_occurred_at, excluded.last_occurred_at),
        last_received_at = greatest(s.last_received_at, excluded.last_received_at)
    RETURNING campus_id, external_member_id, seen_from, gone, s.xmax = 0 AS is_first"#;

/// Claims all of `observations`, which hold one row a member, and answers in their order.
pub(crate) async fn claim(
    transaction: &Transaction<'_>,
    statement: &ClaimStatement,
    observations: &[&Observation],
) -> Result<Vec<Claim>, Error> {
    let campuses: Vec<Uuid> = observations.iter().map(|o| o.campus).collect();
    let members: Vec<&str> = observations.iter().map(|o| o.member.as_str()).collect();
    let seen_from: Vec<i64> = observations.iter().map(|o| o.seen_from).collect();
    let gone: Vec<bool> = observations.iter().map(|o| o.finding.is_gone()).collect();
    let unasked: Vec<bool> = observations.iter().map(|o| o.finding.is_unasked()).collect();
    let occurred: Vec<Option<DateTime<Utc>>> = observations.iter().map(|o| o.occurred_at).collect();
    let received: Vec<Option<DateTime<Utc>>> = observations.iter().map(|o| o.received_at).collect();
    let versions: Vec<i64> = observations.iter().map(|o| o.config_version).collect();
    let rows = transaction
        .query(
            &statement.0,
            &[&campuses, &members, &seen_from, &gone, &unasked, &occurred, &received, &versions],
        )
        .await?;
    let states: HashMap<(Uuid, &str), RowState> = rows
        .iter()
        .map(|row| {
            let state = RowState { seen_from: row.get(2), gone: row.get(3), is_first: row.get(4) };
            ((row.get(0), row.get(1)), state)
        })
        .collect();
    Ok(observations
        .iter()
        .map(|observation| {
            let state = states.get(&(observation.campus, observation.member.as_str()));
            verdict(observation, state.copied())
        })
        .collect())
}

/// A row of `member_sync` after the claim.
#[derive(Clone, Copy)]
struct RowState {
    seen_from: i64,
    gone: bool,
    /// The claim made it.
    is_first: bool,
}

fn verdict(observation: &Observation, state: Option<RowState>) -> Claim {
    match state {
        Some(RowState { is_first: true, .. }) => Claim::First,
        // Our own number in the row: we hold it, or held it before a COMMIT whose answer was lost.
        Some(row) if row.seen_from == observation.seen_from => Claim::Applied,
        Some(row) if !row.gone && row.seen_from >= observation.first_drawn => Claim::Covered,
        Some(_) => Claim::Refused,
        None => Claim::Outdated,
    }
}
