//! `faithctl send-test`: a webhook as FaithFlow sends it, signed with the campus's own secret.

use std::time::Duration;

use clap::Args;
use event::EventType;
use runtime::{SettingError, parse_duration, variables};
use serde::Serialize;
use url::Url;
use uuid::Uuid;

use crate::{
    campus::{CampusId, load_campus},
    environment::Environment,
    failure::{Reported, UsageError, say},
    input,
    output::{self, Format},
    signed_webhook::{Answer, Logged, SignedWebhook},
};

/// Statuses that a delivery may have which went as it should.
const GOOD_ENDS: [&str; 5] = ["processed", "filtered", "ignored", "duplicate", "stale"];

/// Sends a signed webhook to a gateway, and prints the status and body of its answer.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0 means that the gateway accepted it (2xx), and with --wait that it came to a good end.\n\n\
    Examples:\n  \
    faithctl send-test 'GKBJ Kebon Jeruk' --gateway https://faithtracker.example.org --wait\n  \
    faithctl send-test 0195f2d0-7c5e-7d0a-9d3f-0b6f2f6a1c11 --gateway http://127.0.0.1:8080 \\\n      \
    --event member.updated --member-id 8655d76b-9be0-4681-bd2c-35cd5e09a809"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    campus: CampusId,
    /// Address of the gateway, with the webhook path or without [default: PUBLIC_URL]
    #[arg(long, value_name = "URL", value_parser = input::web_address)]
    gateway: Option<Url>,
    /// Type of the event; `test` and `ping` sync nothing
    #[arg(long, value_name = "TYPE", default_value = "test")]
    event: String,
    /// The core's id of the member that a member event is about
    #[arg(long = "member-id", alias = "member", value_name = "ID")]
    member: Option<String>,
    /// Also wait for its row in the log of deliveries, which a worker writes
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "30s", value_parser = duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    output: Format,
}

/// What came of it, for programs.
#[derive(Serialize)]
struct Sent<'a> {
    event_id: Uuid,
    status: u16,
    body: &'a str,
    milliseconds: u64,
    /// The status of its row in the log; null where it was not waited for, or not found.
    logged: Option<&'a str>,
    message: Option<&'a str>,
    error: Option<&'a str>,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a duration such as 30s".to_owned())
}

pub(crate) async fn run(mut arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    let event = EventType::from(arguments.event.clone());
    if event.is_member() && arguments.member.is_none() {
        return Err(
            UsageError::new(format!("--event {} needs --member-id ID", event.as_str())).into()
        );
    }
    let base = match &arguments.gateway {
        Some(url) => url.clone(),
        None => environment.public_url()?.ok_or_else(|| {
            SettingError::new(variables::PUBLIC_URL, "is not set", "it, or --gateway URL")
        })?,
    };
    let sealer = environment.sealer()?;
    arguments.campus.find(environment).await?;
    let client = environment.client().await?;
    let campus = load_campus(&client, arguments.campus.id).await?;
    let member = arguments.member.as_deref();
    let webhook = SignedWebhook::new(&client, &sealer, &campus, &event, member).await?;
    let event_id = webhook.event_id;
    let answer = webhook.send(&base).await?;
    if !arguments.output.is_json() {
        output::line(&format!("{} {}", answer.status, answer.reason))?;
        output::line(&output::printable(&answer.body))?;
        say(&format!("answered in {} ms", answer.took.as_millis()));
    }
    let logged = match arguments.wait.filter(|_| answer.is_success()) {
        Some(limit) => Logged::wait(&client, event_id, limit).await?,
        None => None,
    };
    if arguments.output.is_json() {
        output::object(&Sent {
            event_id,
            status: answer.status,
            body: &answer.body,
            milliseconds: u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX),
            logged: logged.as_ref().map(|logged| logged.status.as_str()),
            message: logged.as_ref().and_then(|logged| logged.message.as_deref()),
            error: logged.as_ref().and_then(|logged| logged.error.as_deref()),
        })?;
    } else if let Some(logged) = &logged {
        output::line(&output::printable(&logged.in_words()))?;
    }
    verdict(&answer, event_id, arguments.wait, logged.as_ref())
}

/// Says how to go on, and whether it went well.
fn verdict(
    answer: &Answer,
    event_id: Uuid,
    wait: Option<Duration>,
    logged: Option<&Logged>,
) -> anyhow::Result<()> {
    if !answer.is_success() {
        say(answer.advice());
        return Err(Reported.into());
    }
    match (wait, logged) {
        (None, _) => {
            say(&format!("`faithctl deliveries show {event_id}` tells what becomes of it"));
            Ok(())
        }
        (Some(_), Some(logged)) if GOOD_ENDS.contains(&logged.status.as_str()) => Ok(()),
        (Some(_), Some(_)) => Err(Reported.into()),
        (Some(limit), None) => anyhow::bail!(
            "accepted, and not in the log of deliveries within {} s: no worker runs, or many events wait before it \
             (`faithctl status`)",
            limit.as_secs()
        ),
    }
}
