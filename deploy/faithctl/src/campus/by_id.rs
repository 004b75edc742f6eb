//! Asking a core for members by id, as every event does, and mapping and filtering what it answers: a core may list its
//! members and refuse each of them.

use campus_core::interpret_response;
use chrono::Utc;
use core_api::{Charge, CoreClient, CoreError, Keys, Rows, Token};
use member::{CoreMember, Verdict};
use store::Finding;

use super::{CampusCore, login};
use crate::failure::in_words;

/// Members that are asked for until one answers.
const TRIES: usize = 3;

/// Rows of the core's list with what is looked at of them; a whole row may be megabytes.
pub(crate) struct Listed {
    keys: Keys,
    /// In the list's order.
    pub(crate) rows: Vec<CoreMember>,
}

impl Default for Listed {
    fn default() -> Self {
        let keys = Keys::only(["id", "church_id", "is_active", "is_deleted"]);
        Self { keys, rows: Vec::new() }
    }
}

impl Rows for Listed {
    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn take(&mut self, row: &CoreMember) {
        self.rows.push(row.clone());
    }
}

/// What asking for members by id came to.
pub(crate) enum Trial {
    /// One was fetched, mapped and filtered.
    Fetched {
        /// The core's id of the member.
        member: String,
        /// What an event about it would do.
        outcome: &'static str,
    },
    /// None was: what is wrong, and what to do about it.
    Failed {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        advice: String,
    },
    /// There is nobody to ask for.
    NoMember,
}

/// Asks for the first of these members that answers, of which no answer is written anywhere.
pub(crate) async fn try_by_id(
    ids: &[String],
    api: &CoreClient,
    core: &CampusCore,
    token: &Token,
) -> Trial {
    let keys = campus_core::keys(&core.config);
    let mut failure = None;
    for id in ids.iter().take(TRIES) {
        let answer = api.fetch(&core.endpoint, token, id, &keys, &Charge::free()).await;
        match answer {
            Ok(member) => match interpret_response(&core.config, &member, Utc::now()) {
                Ok(finding) => {
                    return Trial::Fetched { member: id.clone(), outcome: outcome(&finding) };
                }
                Err(failure) => {
                    return Trial::Failed {
                        problem: format!(
                            "member {id}, fetched by id, cannot be synced: {}",
                            failure.reason
                        ),
                        advice: format!(
                            "every event about it fails with {}: `faithctl campus discover-fields {}` shows what the core answers",
                            failure.cause.as_str(),
                            core.config.id
                        ),
                    };
                }
            },
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        None => Trial::NoMember,
        Some(error) => Trial::Failed {
            advice: advice(&error, core),
            problem: format!(
                "the core lists members, and gives none of {} by id: {}",
                ids.len().min(TRIES),
                in_words(&error.into())
            ),
        },
    }
}

fn advice(error: &CoreError, core: &CampusCore) -> String {
    match error {
        CoreError::NotFound { .. } | CoreError::Gone { .. } => format!(
            "no event can be processed: does another program answer below {}/members/?",
            core.config.api_path_prefix
        ),
        error => login::advice(error, core),
    }
}

/// What an event about the member would do.
fn outcome(finding: &Finding) -> &'static str {
    let Finding::Read(verdict) = finding else { return "gone from the core" };
    match **verdict {
        Verdict::Active(_) | Verdict::Unstated(_) => "kept by the sync filter",
        Verdict::Inactive(_) => "inactive in the core: archived here",
        Verdict::Filtered(_) => "not kept by the sync filter",
        Verdict::Deleted => "deleted in the core: archived here",
    }
}
