//! The gateway, as senders see it: an unsigned webhook must be refused in its own words, and a signed ping of a campus
//! accepted, queued, and logged by a worker. The refusal alone says nothing of RabbitMQ.

use std::time::Duration;

use campus::Sealer;
use chrono::{TimeDelta, Utc};
use database::Client;
use event::EventType;
use status::LastMoments;
use store::records::CampusRecord;
use url::Url;

use super::check::Report;
use crate::{
    campus::webhook_url,
    environment::Environment,
    failure::in_words,
    signed_webhook::{Logged, SignedWebhook},
    web,
};

const SUBJECT: &str = "gateway";
/// FaithFlow gives up on its first try after two seconds.
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// An event that nothing waits before is logged within milliseconds.
const LOGGED_WITHIN: Duration = Duration::from_secs(10);
/// Where something came to its end so lately, a ping that did not waits for its turn.
const LATELY: TimeDelta = TimeDelta::seconds(30);

/// Asks the gateway that was given, or the one of `PUBLIC_URL`; `client` is none where Postgres cannot be used.
pub(super) async fn check(
    report: &mut Report,
    environment: &Environment,
    given: Option<Url>,
    client: Option<&Client>,
) {
    let is_given = given.is_some();
    let Some(base) = given.or_else(|| environment.public_url().ok().flatten()) else { return };
    let url = webhook_url(&base);
    match ask(url.clone()).await {
        Ok(()) => {}
        // The public address may well not be reachable from the operator's machine.
        Err(problem) if !is_given => {
            return report.warn(
                SUBJECT,
                format!("{url} {problem}"),
                "try from outside, or with --gateway and the gateway's own address",
            );
        }
        Err(problem) => {
            return report.fail(
                SUBJECT,
                format!("{url} {problem}"),
                "start the gateway, and let the proxy before it pass /api/sync/webhook on",
            );
        }
    }
    // A key that is missing has been reported.
    let (Some(client), Ok(sealer)) = (client, environment.sealer()) else {
        return unproven(report, &url, "no campus's secret is at hand to sign one with");
    };
    match ping(report, &base, client, &sealer).await {
        Ok(true) => {}
        Ok(false) => unproven(report, &url, "no campus is enabled to send one for"),
        Err(error) => report.fail(
            SUBJECT,
            format!("no signed ping could be sent to {url}: {}", in_words(&error)),
            "see the other failures first; `faithctl send-test` sends one by itself",
        ),
    }
}

/// All that is known is that a gateway answers.
fn unproven(report: &mut Report, url: &Url, why: &str) {
    report.warn(
        SUBJECT,
        format!(
            "{url} refuses an unsigned webhook as it should; whether it accepts a signed one was not tried: {why}"
        ),
        "see the other findings first",
    );
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

/// Sends a ping for the first enabled campus and looks for its row; false where there is none.
async fn ping(
    report: &mut Report,
    base: &Url,
    client: &Client,
    sealer: &Sealer,
) -> anyhow::Result<bool> {
    let campuses = CampusRecord::all(client).await?;
    let Some(campus) = campuses.iter().find(|campus| campus.is_enabled) else { return Ok(false) };
    let ping = EventType::from("ping".to_owned());
    let webhook = SignedWebhook::new(client, sealer, campus, &ping, None).await?;
    let event_id = webhook.event_id;
    let answer = webhook.send(base).await?;
    let url = webhook_url(base);
    if !answer.is_success() {
        report.fail(
            SUBJECT,
            format!(
                "{url} answers a signed ping of campus {} with {}: {}",
                campus.name, answer.status, answer.body
            ),
            answer.advice(),
        );
        return Ok(true);
    }
    let accepted = format!(
        "{url} refuses an unsigned webhook and accepted a signed ping of campus {} in {} ms",
        campus.name,
        answer.took.as_millis()
    );
    match Logged::wait(client, event_id, LOGGED_WITHIN).await? {
        Some(logged) if logged.status == "processed" => {
            report.ok(SUBJECT, format!("{accepted}; a worker has logged it"));
        }
        Some(logged) => report.fail(
            SUBJECT,
            format!("{accepted}; it ended otherwise than it should: {}", logged.in_words()),
            format!("faithctl deliveries show {event_id}"),
        ),
        None => {
            let detail =
                format!("{accepted}; no worker has logged it within {} s", LOGGED_WITHIN.as_secs());
            let last = LastMoments::load(client).await?.processed_at;
            if last.is_some_and(|last| Utc::now() - last < LATELY) {
                report.warn(
                    SUBJECT,
                    detail,
                    "events wait before it: `faithctl status` shows how many",
                );
            } else {
                report.fail(
                    SUBJECT,
                    detail,
                    "look at the workers: their logs, and /readyz of each",
                );
            }
        }
    }
    Ok(true)
}
