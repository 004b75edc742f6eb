//! `faithctl runs request`

use ::operations::RunChoice;
use clap::Args;
use database::Client;
use store::{OperationKind, records::OperationRecord};
use tokio_util::sync::CancellationToken;

use crate::{
    campus::{CampusId, load_campus},
    confirm,
    environment::Environment,
    failure::say,
    operations::{Request, is_of, requester, watch_requested},
    output::{self, Format},
};

/// Asks a reconciler to compare a campus with its core now, and to repair it.
///
/// It is an operation: a reconciler that runs carries it out, whatever becomes of this command. Where reconcilers are
/// started by cron alone, `reconciler --once --campus CAMPUS` does the same here and now.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl runs request 'GKBJ Kebon Jeruk'\n  \
    faithctl runs request 'GKBJ Kebon Jeruk' --dry-run --json\n  \
    faithctl runs request 'GKBJ Kebon Jeruk' --allow-archive 37 --yes\n\n\
    Whom a run changed: faithctl runs show ID, with the id that its outcome names.")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) campus: CampusId,
    /// Tell what would change, and write nothing
    #[arg(long, conflicts_with = "allow_archive")]
    dry_run: bool,
    /// Let through the N people whom the campus's last held run held, and only those
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    allow_archive: Option<i32>,
    #[command(flatten)]
    request: Request,
    /// Do not ask; only --allow-archive does
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
    if arguments.allow_archive.is_some() {
        confirm::require(arguments.yes)?;
    }
    let client = environment.client().await?;
    let choice = RunChoice {
        campus: arguments.campus.id,
        is_dry_run: arguments.dry_run,
        allow_archives: arguments.allow_archive,
    };
    let before = arguments.request.asked_before(&client, choice.kind()).await?;
    let operation = match before {
        Some(operation) => operation,
        None => ask(arguments, choice, &client, environment, interrupted).await?,
    };
    watch(arguments, operation, client, environment, interrupted).await
}

async fn ask(
    arguments: &Arguments,
    choice: RunChoice,
    client: &Client,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<OperationRecord> {
    let campus = load_campus(client, arguments.campus.id).await?;
    anyhow::ensure!(
        campus.paused_at.is_none(),
        "campus {0} is paused: `faithctl campus resume {0}` first",
        arguments.campus.id
    );
    if let Some(archives) = arguments.allow_archive {
        let question = format!(
            "Let {archives} archives or returns through that were held in campus {}",
            campus.name
        );
        confirm::ask(&question, environment, arguments.yes, interrupted).await?;
    }
    let operation = choice.request(client, requester(&arguments.request)).await?;
    is_of(operation, choice.kind())
}

/// What becomes of it, where that is watched.
async fn watch(
    arguments: &Arguments,
    operation: OperationRecord,
    client: Client,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    let followed =
        watch_requested(&arguments.request, operation, "listed", client, environment, interrupted)
            .await?;
    let operation = &followed.operation;
    if arguments.output.is_json() {
        output::object(operation)?;
    } else if arguments.request.detach {
        output::line(&format!("operation {} is asked for", operation.id))?;
    } else if let Some(outcome) = operation.outcome.as_ref().and_then(|value| value.as_object()) {
        for (name, value) in outcome {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            output::line(&format!("{name:20} {value}"))?;
        }
        if operation.kind() != Some(OperationKind::ReconcileDryRun)
            && let Some(run) = outcome.get("run").and_then(|id| id.as_str())
        {
            say(&format!("whom it changed: `faithctl runs show {run}`"));
        }
    }
    followed.verdict()
}
