//! `faithctl dead-letters show`

use anyhow::Context;
use clap::Args;
use store::records::DeadLetterRecord;
use uuid::Uuid;

use super::advice::advice_for;
use crate::{
    environment::Environment,
    moment,
    output::{self, Format, Sheet},
};

/// Shows one letter.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    faithctl dead-letters show 01936d4e-5f0a-7c3e-9b1d-2a4c6e8f0a1b\n\n\
    What became of an event with all its deliveries: faithctl deliveries show EVENT_ID")]
pub(super) struct Arguments {
    /// Id of the letter, which is the delivery's
    #[arg(value_name = "ID")]
    id: Uuid,
    #[command(flatten)]
    output: Format,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let letter =
        DeadLetterRecord::load(&client, &[arguments.id]).await?.pop().with_context(|| {
            format!(
                "there is no dead letter {}: by an event's id, `faithctl deliveries show` finds it",
                arguments.id
            )
        })?;
    if arguments.output.is_json() {
        return output::object(&letter);
    }
    sheet(&letter).print()
}

fn sheet(letter: &DeadLetterRecord) -> Sheet {
    let moment = |at: Option<_>| at.map(moment::show);
    let event = if letter.is_event() { None } else { Some("none: it cannot be replayed") };
    Sheet::default()
        .with("id", letter.id)
        .with("status", &letter.status)
        .with("cause", &letter.cause)
        .with("reason", &letter.reason)
        .with_some("event", event)
        .with_some("event_type", letter.event_type.as_ref())
        .with_some("event_id", letter.event_id.as_ref())
        .with_some("member_id", letter.member_id.as_ref())
        .with_some("campus_id", letter.campus_id)
        .with_some("received_at", moment(letter.received_at))
        .with_some("first_failed_at", moment(letter.first_failed_at))
        .with("dead_at", moment::show(letter.dead_at))
        .with("attempts", letter.attempts)
        .with("replay_count", letter.replay_count)
        .with_some("replayed_at", moment(letter.replayed_at))
        .with_some("resolved_at", moment(letter.resolved_at))
        .with_some("note", letter.note.as_ref())
        .with_some("trace_id", letter.trace_id.as_ref())
        .with("envelope", &letter.envelope)
        .with_some("what to do", advice_for(&letter.cause).filter(|_| letter.status == "open"))
}
