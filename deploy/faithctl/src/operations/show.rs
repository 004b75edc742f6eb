//! `faithctl operations show`

use ::operations::{Snapshot, look};
use anyhow::Context;
use clap::Args;
use database::Client;
use serde::Serialize;
use store::{
    OperationKind,
    operations::{LetterEnds, died_since},
    records::OperationRecord,
};
use uuid::Uuid;

use super::words::{about, ends, progress, time_left};
use crate::{
    environment::Environment,
    moment,
    output::{self, Format, Sheet},
    watch::{self, Watch},
};

/// Shows an operation, and what became of what it did.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    faithctl operations show 01936d4e-5f0a-7c3e-9b1d-2a4c6e8f0a1b\n\n\
    Letters that a later operation took are counted there.")]
pub(super) struct Arguments {
    /// Id of the operation
    #[arg(value_name = "ID")]
    id: Uuid,
    #[command(flatten)]
    output: Format,
    #[command(flatten)]
    watch: Watch,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    operation: &'a OperationRecord,
    /// Of letters.
    outcomes: Option<LetterEnds>,
    /// How many letters match that died since it was asked for.
    died_since: Option<i64>,
    /// Of one that waits.
    waits_for: &'a [Uuid],
    /// Of one that waits: how many programs run that could carry it out.
    programs: Option<i64>,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    if let Some(every) = arguments.watch.every {
        return watch::repeat(every, async || {
            let snapshot = snapshot(&client, arguments.id).await?;
            let shown = shown(&client, &snapshot).await?;
            if arguments.output.is_json() {
                return output::object_line(&shown);
            }
            Ok(sheet(&snapshot, &shown).text())
        })
        .await;
    }
    let snapshot = snapshot(&client, arguments.id).await?;
    let shown = shown(&client, &snapshot).await?;
    if arguments.output.is_json() {
        return output::object(&shown);
    }
    sheet(&snapshot, &shown).print()
}

async fn snapshot(client: &Client, id: Uuid) -> anyhow::Result<Snapshot> {
    look(client, id).await?.with_context(|| {
        format!("there is no operation {id}: `faithctl operations list` lists them")
    })
}

async fn shown<'a>(client: &Client, snapshot: &'a Snapshot) -> anyhow::Result<Shown<'a>> {
    let operation = &snapshot.operation;
    let is_about_letters = matches!(
        operation.kind(),
        Some(OperationKind::Replay | OperationKind::Discard | OperationKind::Restore)
    );
    let (mut outcomes, mut since) = (None, None);
    if is_about_letters {
        outcomes = Some(LetterEnds::of(client, operation.id).await?);
        since = died_since(client, operation).await?;
    }
    Ok(Shown {
        operation,
        outcomes,
        died_since: since,
        waits_for: &snapshot.waits_for,
        programs: snapshot.programs,
    })
}

fn sheet(snapshot: &Snapshot, shown: &Shown<'_>) -> Sheet {
    let operation = shown.operation;
    let moment = |at: Option<_>| at.map(moment::show);
    let program = operation.kind().map_or("program", OperationKind::program);
    let waits_for: Vec<String> = shown.waits_for.iter().map(Uuid::to_string).collect();
    let count = |number: i64| (number > 0).then_some(number);
    let ended = match operation.kind() {
        Some(OperationKind::Replay) => shown.outcomes.as_ref().map(ends),
        _ => {
            operation.outcome.as_ref().filter(|_| shown.outcomes.is_none()).map(ToString::to_string)
        }
    };
    let since = shown.died_since.and_then(count).map(|number| {
        format!("{number} more died since it was asked for: they are left for the next")
    });
    Sheet::default()
        .with("id", operation.id)
        .with("kind", &operation.kind)
        .with("state", &operation.state)
        .with("about", about(operation))
        .with("by", &operation.by)
        .with_some("note", operation.note.as_ref())
        .with("created_at", moment::show(operation.created_at))
        .with("cutoff", moment::show(operation.cutoff))
        .with_some("started_at", moment(operation.started_at))
        .with_some("ended_at", moment(operation.ended_at))
        .with("done", progress(operation))
        .with_some("skipped", count(operation.skipped))
        .with_some("unreadable", count(operation.unreadable))
        .with_some("rate", operation.rate.map(|rate| format!("at most {rate}/s")))
        .with_some("time left", time_left(operation))
        .with_some("became", ended)
        .with_some("since then", since)
        .with_some("error", operation.error.as_ref())
        .with_some("waits for", (!waits_for.is_empty()).then(|| waits_for.join(", ")))
        .with_some(
            "waits",
            snapshot
                .is_orphaned()
                .then(|| format!("no {program} runs: it is carried out as soon as one does")),
        )
}
