//! The gateway, as senders see it: an unsigned webhook must be refused in its own words.

use std::time::Duration;

use url::Url;

use super::check::Report;
use crate::{campus::webhook_url, environment::Environment, failure::in_words, web};

/// FaithFlow gives up on its first try after two seconds.
const TIME_LIMIT: Duration = Duration::from_secs(2);

pub(super) async fn check(report: &mut Report, environment: &Environment, given: Option<Url>) {
    let is_given = given.is_some();
    let Some(base) = given.or_else(|| environment.public_url().ok().flatten()) else { return };
    let url = webhook_url(&base);
    match ask(url.clone()).await {
        Ok(()) => report.ok("gateway", format!("{url} answers as it should")),
        // The public address may well not be reachable from the operator's machine.
        Err(problem) if !is_given => report.warn(
            "gateway",
            format!("{url} {problem}"),
            "try from outside, or with --gateway and the gateway's own address",
        ),
        Err(problem) => report.fail(
            "gateway",
            format!("{url} {problem}"),
            "start the gateway, and let the proxy before it pass /api/sync/webhook on",
        ),
    }
}

async fn ask(url: Url) -> Result<(), String> {
    let answer = async {
        let client = web::client(TIME_LIMIT)?;
        let request = client.post(url).header("Content-Type", "application/json").body("{}");
        let response = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = response.status().as_u16();
        anyhow::Ok((status, response.text().await?))
    };
    match answer.await {
        Ok((401, body)) if body.contains("Missing webhook signature") => Ok(()),
        Ok((status, _)) => Err(format!("answers {status}, and not as a gateway does")),
        Err(error) => Err(format!("does not answer within 2 s: {}", in_words(&error))),
    }
}
