//! `faithctl dead-letters discard`

use clap::Args;
use store::OperationKind;
use tokio_util::sync::CancellationToken;

use super::{change::Change, selection::Selection};
use crate::{environment::Environment, input::note, operations::Request, output::Format};

/// Gives open letters up: neither a replay nor a late success changes them any more.
///
/// It is an operation: a worker carries it out. The event is discarded in the log of deliveries too. The rows stay, with
/// the note; `restore` opens them again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl dead-letters discard --cause member_not_found --until 7d --note 'purged in the core' --dry-run\n  \
    faithctl dead-letters discard --cause invalid_event --note 'test messages' --yes\n  \
    faithctl dead-letters discard --id 01936d4e-5f0a-7c3e-9b1d-2a4c6e8f0a1b --note 'sent by mistake'")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    request: Request,
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: String,
    /// Say how many would be discarded, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: Format,
}

pub(super) async fn run(
    arguments: &Arguments,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    let change = Change {
        kind: OperationKind::Discard,
        verb: "discard",
        done: "discarded",
        note: Some(arguments.note.clone()),
        selection: &arguments.selection,
        request: &arguments.request,
        dry_run: arguments.dry_run,
        yes: arguments.yes,
        json: arguments.output.is_json(),
    };
    change.ask_for(environment, interrupted).await
}
