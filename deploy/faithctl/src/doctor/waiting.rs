//! What waits for an operator: campuses whose events fail, dead letters, held archives, campuses that were long not compared.

use database::{Client, DatabaseError};
use status::{CampusSync, DeadLetters, Instances, Problem, Retrying, waiting};

use super::check::Report;
use crate::failure::in_words;

const SUBJECT: &str = "needs attention";

pub(super) async fn check(report: &mut Report, client: &Client) {
    match look(client).await {
        Ok(problems) if problems.is_empty() => report.ok(SUBJECT, "nothing"),
        Ok(problems) => {
            for Problem { summary, advice, stops_events, .. } in problems {
                if stops_events {
                    report.fail(SUBJECT, summary, advice);
                } else {
                    report.warn(SUBJECT, summary, advice);
                }
            }
        }
        Err(error) => report.warn(
            SUBJECT,
            in_words(&error.into()),
            "see the other failures first; `faithctl migrate --roles` gives faith_admin its rights",
        ),
    }
}

async fn look(client: &Client) -> Result<Vec<Problem>, DatabaseError> {
    let letters = DeadLetters::load(client).await?;
    let (instances, retrying) = (Instances::load(client).await?, Retrying::load(client).await?);
    let campuses = CampusSync::load(client, &instances, &retrying).await?;
    Ok(waiting(&letters, &campuses))
}
