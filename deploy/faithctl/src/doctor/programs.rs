//! Which programs run, by the rows that they refresh; RabbitMQ knows who consumes.

use database::Client;
use status::{Instances, Problem, counted, missing};

use super::check::Report;
use crate::failure::in_words;

const SUBJECT: &str = "programs";

/// A program that is missing is a warning: it may have lost Postgres alone, and a reconciler may be
/// cron's to start.
pub(super) async fn check(report: &mut Report, client: &Client) {
    let connected = match Instances::load(client).await {
        Ok(connected) => connected,
        Err(error) => {
            return report.warn(SUBJECT, in_words(&error.into()), "see the other failures first");
        }
    };
    let missing = missing(&connected);
    if missing.is_empty() {
        let gateways = counted(count(connected.gateways), "gateway", "gateways");
        let workers = counted(count(connected.workers), "worker", "workers");
        report.ok(SUBJECT, format!("running and ready: {gateways}, {workers}, and a reconciler"));
    }
    for Problem { summary, advice, .. } in missing {
        report.warn(SUBJECT, summary, advice);
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
