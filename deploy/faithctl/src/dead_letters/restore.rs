//! `faithctl dead-letters restore`

use clap::Args;
use store::OperationKind;
use tokio_util::sync::CancellationToken;

use super::{change::Change, selection::Selection};
use crate::{environment::Environment, operations::Request, output::Format};

/// Opens discarded letters again, as they were before: a replay takes them then.
///
/// It is an operation: a worker carries it out. The delivery is dead again in the log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl dead-letters restore --cause member_not_found --since 7d --dry-run\n  \
    faithctl dead-letters restore --id 01936d4e-5f0a-7c3e-9b1d-2a4c6e8f0a1b --yes")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    request: Request,
    /// Say how many would be opened again, and change nothing
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
        kind: OperationKind::Restore,
        verb: "restore",
        done: "restored",
        note: None,
        selection: &arguments.selection,
        request: &arguments.request,
        dry_run: arguments.dry_run,
        yes: arguments.yes,
        json: arguments.output.is_json(),
    };
    change.ask_for(environment, interrupted).await
}
