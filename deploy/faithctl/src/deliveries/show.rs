//! `faithctl deliveries show`

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use store::records::{AttemptRecord, DeadLetterRecord, DeliveryRecord};

use super::timeline;
use crate::{
    environment::Environment,
    moment,
    output::{self, Format, Sheet},
};

/// Shows every delivery of an event, the newest first, with all that it went through.
///
/// The id is FaithFlow's, in its payload and in the X-Event-ID header; where it sent none, the one
/// in the gateway's answer. The delivery's id and the trace's, from log lines and spans, find it too: a
/// trace's is looked for in the last 24 hours, or as far back as --since says.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  faithctl deliveries show 6f1c2a4e-3f57-4e0e-8d5c-0a4f8a8f9d11")]
pub(crate) struct Arguments {
    /// Id of the event, of a delivery of it, or of its trace
    #[arg(value_name = "EVENT_ID")]
    event_id: String,
    /// How far back a trace's id is looked for: so long ago (7d), or a time such as 2026-11-20T01:40:00Z [default: 24h]
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    since: Option<DateTime<Utc>>,
    #[command(flatten)]
    output: Format,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    newest: &'a DeliveryRecord,
    deliveries: &'a [DeliveryRecord],
    delivery_attempts: &'a [AttemptRecord],
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let deliveries = DeliveryRecord::find(&client, &arguments.event_id, arguments.since).await?;
    let Some(newest) = deliveries.first() else {
        anyhow::bail!(
            "no delivery of event {:?} is logged: it was never accepted, waits in the queue \
             (`faithctl status`), or is older than LOG_RETENTION. The id of a trace is looked for in the \
             last 24 hours; --since 7d looks further back",
            arguments.event_id
        );
    };
    let attempts = AttemptRecord::of_deliveries(&client, &deliveries).await?;
    if arguments.output.is_json() {
        let (deliveries, delivery_attempts) = (&deliveries[..], &attempts[..]);
        return output::object(&Shown { newest, deliveries, delivery_attempts });
    }
    let letters = DeadLetterRecord::of_event(&client, &newest.event_id).await?;
    for (index, delivery) in deliveries.iter().enumerate() {
        if index > 0 {
            output::line("")?;
        }
        let letter = letters.iter().find(|letter| letter.id == delivery.id);
        sheet(delivery, letter).print()?;
        let steps = timeline::of(delivery, &attempts);
        output::line(&format!("\n{}", timeline::text(&steps)))?;
    }
    Ok(())
}

fn sheet(delivery: &DeliveryRecord, letter: Option<&DeadLetterRecord>) -> Sheet {
    let took = delivery.processed_at.map(|end| {
        let milliseconds = (end - delivery.received_at).num_milliseconds().max(0);
        format!("{} ({milliseconds} ms after receipt)", moment::show(end))
    });
    Sheet::default()
        .with("event_id", &delivery.event_id)
        .with("event_type", &delivery.event_type)
        .with_some("member_id", delivery.member_id.as_ref())
        .with("campus_id", delivery.campus_id)
        .with("id", delivery.id)
        .with("received_at", moment::show(delivery.received_at))
        .with("signature_valid", delivery.signature_valid)
        .with("status", &delivery.status)
        .with_some("message", delivery.message.as_ref())
        .with_some("error", delivery.error.as_ref())
        .with("attempts", delivery.attempts)
        .with_some("processed_at", took)
        .with("payload", &delivery.payload)
        .with_some("trace_id", delivery.trace_id.as_ref())
        .with_some(
            "dead letter",
            letter.map(|letter| {
                format!(
                    "{} since {}: {} ({})",
                    letter.status,
                    moment::show(letter.dead_at),
                    letter.reason,
                    letter.cause
                )
            }),
        )
}
