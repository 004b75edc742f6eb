//! Canaries (rule reconciler-5): members that the core has just listed. If it says by id that these are gone, or inactive though
//! it listed them as active, then what it says of others proves nothing: the account is a wrong one, or the
//! path, or a proxy answers, or list and members are not of the same day.

use core_api::{CoreError, Keys};
use database::{Client, DatabaseError};

use crate::{
    core_retry::{Core, CoreFailure},
    error::RunError,
    list::row::RowState,
    run::campus::Campus,
};

/// How many are asked for.
const CANARIES: i64 = 5;

/// Members to ask for before and after anybody is believed to be gone.
#[derive(Debug)]
pub(super) struct Canaries(Vec<Canary>);

#[derive(Debug)]
struct Canary {
    member: String,
    is_active: bool,
}

impl Canaries {
    /// Picks members of the staged list, other ones in each run, active ones first.
    pub(super) async fn pick(client: &Client) -> Result<Self, DatabaseError> {
        let (active, deleted) = (RowState::Active.letter(), RowState::Deleted.letter());
        let rows = client
            .query(
                "SELECT member, state = $1 AS is_active FROM listed WHERE state <> $2
                 ORDER BY state = $1 DESC, random() LIMIT $3",
                &[&active, &deleted, &CANARIES],
            )
            .await
            .map_err(DatabaseError::during("pick canaries"))?;
        let canary = |row: &database::Row| Canary { member: row.get(0), is_active: row.get(1) };
        Ok(Self(rows.iter().map(canary).collect()))
    }

    /// Asks for each; an error unless the core knows them all as this church's, and as it listed them. One that
    /// it fails on, while it is well otherwise, says nothing; all of them do.
    pub(super) async fn check(&self, core: &Core, campus: &Campus) -> Result<(), RunError> {
        if self.0.is_empty() {
            let why = "it listed nobody who could be asked for.".to_owned();
            return Err(RunError::Canary { why });
        }
        let (mut trouble, mut is_alive) = (None, false);
        for canary in &self.0 {
            match core.member(&canary.member, &Keys::ALL).await {
                Ok(member) if member.church_id() != Some(&campus.config.core_church_id) => {
                    return Err(dead("It answered with a member of another church."));
                }
                Ok(member) if member.is_deleted() => {
                    return Err(dead("It answered that one of them is deleted."));
                }
                Ok(member) if canary.is_active && member.is_inactive() => {
                    return Err(dead("It answered that one it listed as active is not."));
                }
                Ok(_) => is_alive = true,
                Err(CoreFailure::Member(CoreError::NotFound { .. } | CoreError::Gone { .. })) => {
                    return Err(dead("It answered that there is none."));
                }
                Err(CoreFailure::Member(error @ CoreError::Forbidden { .. })) => {
                    return Err(dead(&format!("{error}.")));
                }
                Err(CoreFailure::Member(error)) => trouble = Some(error),
                Err(CoreFailure::Core(error)) => return Err(RunError::silent(error)),
            }
        }
        match trouble {
            Some(error) if !is_alive => Err(RunError::Silent(error.to_string())),
            _ => Ok(()),
        }
    }
}

fn dead(why: &str) -> RunError {
    RunError::Canary { why: why.to_owned() }
}
