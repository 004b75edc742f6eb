//! What waits for an operator: dead letters, held archives, campuses that were long not compared.

use database::{Client, DatabaseError};

use super::check::Report;
use crate::{
    failure::in_words,
    status::{
        Problem, problems,
        queries::{CampusSync, DeadLetters},
    },
};

const SUBJECT: &str = "waiting for you";

pub(super) async fn check(report: &mut Report, client: &Client) {
    match look(client).await {
        Ok(problems) if problems.is_empty() => report.ok(SUBJECT, "nothing"),
        Ok(problems) => {
            for Problem { summary, advice } in problems {
                report.warn(SUBJECT, summary, advice);
            }
        }
        Err(error) => report.warn(
            SUBJECT,
            in_words(&error.into()),
            "apply deploy/roles.sql, and see the other failures first",
        ),
    }
}

async fn look(client: &Client) -> Result<Vec<Problem>, DatabaseError> {
    let letters = DeadLetters::load(client).await?;
    let campuses = CampusSync::load(client).await?;
    Ok(problems::waiting(&letters, &campuses))
}
