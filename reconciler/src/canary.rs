//! Canaries: members that the core has just listed. If it says by id that these are gone, then what
//! it says of others proves nothing: the account is a wrong one, or the path, or a proxy answers.

use campus_core::CoreSession;
use core_api::{CoreError, SessionError};
use database::{Client, DatabaseError};

use crate::{
    campus::Campus,
    error::{RunError, is_absence},
    patience::patiently,
};

/// How many are asked for.
const CANARIES: i64 = 5;

/// Members to ask for before and after anybody is believed to be gone.
#[derive(Debug)]
pub(crate) struct Canaries(Vec<String>);

impl Canaries {
    /// Picks members of the staged list, other ones in each run.
    pub(crate) async fn pick(client: &Client) -> Result<Self, DatabaseError> {
        let rows = client
            .query(
                "SELECT member FROM listed WHERE standing <> 'd' ORDER BY random() LIMIT $1",
                &[&CANARIES],
            )
            .await
            .map_err(DatabaseError::during("pick canaries"))?;
        Ok(Self(rows.iter().map(|row| row.get(0)).collect()))
    }

    /// Asks for each; an error unless the core knows them all as this church's.
    pub(crate) async fn check(&self, core: &CoreSession, campus: &Campus) -> Result<(), RunError> {
        if self.0.is_empty() {
            let why = "it listed nobody who could be asked for.".to_owned();
            return Err(RunError::Canary { why });
        }
        for canary in &self.0 {
            let is_final = |error: &CoreError| {
                crate::patience::is_refused_login(error)
                    || matches!(error, CoreError::NotFound { .. } | CoreError::Gone { .. })
            };
            match patiently(|| core.member(canary), is_final).await {
                Ok(member) if member.church_id() == Some(&campus.config.core_church_id) => {}
                Ok(_) => return Err(dead("It answered with a member of another church.")),
                Err(error) if is_absence(&error) => {
                    return Err(dead("It answered that there is none."));
                }
                Err(error @ SessionError::Core(CoreError::Forbidden { .. })) => {
                    return Err(dead(&format!("{error}.")));
                }
                Err(error) => return Err(RunError::Silent(error.to_string())),
            }
        }
        Ok(())
    }
}

fn dead(why: &str) -> RunError {
    RunError::Canary { why: why.to_owned() }
}
