//! Which programs are there at all: Postgres knows who has a session, RabbitMQ who consumes.

use database::Client;

use super::check::Report;
use crate::{
    failure::in_words,
    status::{Problem, problems, queries::Connected},
};

const SUBJECT: &str = "programs";

/// A program that is missing is a warning: it may have lost Postgres alone, and a reconciler may be
/// cron's to start.
pub(super) async fn check(report: &mut Report, client: &Client) {
    let connected = match Connected::load(client).await {
        Ok(connected) => connected,
        Err(error) => {
            return report.warn(SUBJECT, in_words(&error.into()), "see the other failures first");
        }
    };
    let missing = problems::missing(&connected);
    if missing.is_empty() {
        let gateways = problems::counted(connected.gateways, "gateway", "gateways");
        report.ok(SUBJECT, format!("connected to Postgres: {gateways}, and a reconciler"));
    }
    for Problem { summary, advice } in missing {
        report.warn(SUBJECT, summary, advice);
    }
}
