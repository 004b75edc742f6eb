//! `faithctl status`: what to look at, queues, lag, workers, dead letters and runs in one screen.

mod programs;
pub(crate) mod queues;
mod screen;

use clap::Args;
use database::{DatabaseConfig, DatabaseError};
use queue::WORK;
use retry::RetrySchedule;
use status::{InstallationStatus, problems};

use crate::{
    environment::Environment,
    failure::Reported,
    output::{self, Format},
    watch::{self, Watch},
};

/// Shows queues, lag, workers, dead letters and last runs, in one screen.
///
/// Reports unreachable services and shows the rest.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 1 means that RabbitMQ or Postgres cannot be reached. `faithctl doctor` looks \
    for reasons.\n\n\
    Queues: `work` holds what waits for a worker, `retry.*` what waits for its next attempt (as the running workers \
    declare them), `dead` dead letters on their way to Postgres, `unrouted` events that found no queue, \
    `webhook-rejections` refused webhooks on their way to the log of deliveries. Workers drain the last three.\n\
    Lag: from receipt to the committed row, without replays; beside it, what still waits for another attempt.\n\
    Programs: those that told within the last 20 s that they run, with what they have done since their start and have in \
    hand; one that told nothing for longer, and has not ended in good order, is silent, and forgotten after ten minutes.\n\nExamples:\n  \
    faithctl status\n  \
    faithctl status --watch 5s\n  \
    faithctl status --json | jq '.queues[] | select(.name == \"member-events.work\") | .messages'"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: Format,
    #[command(flatten)]
    watch: Watch,
}

pub(crate) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let format = arguments.output;
    if let Some(every) = arguments.watch.every {
        return watch::repeat(every, async || {
            let status = look(environment).await?;
            Ok(if format.is_json() {
                output::object_line(&status)?
            } else {
                screen::text(&status, format)
            })
        })
        .await;
    }
    let status = look(environment).await?;
    if format.is_json() {
        output::object(&status)?;
    } else {
        output::line(&screen::text(&status, format))?;
    }
    if status.unavailable.is_empty() { Ok(()) } else { Err(Reported.into()) }
}

/// Everything there is to say now.
async fn look(environment: &Environment) -> anyhow::Result<InstallationStatus> {
    let broker = environment.broker()?;
    let database = environment.database()?;
    let delays = RetrySchedule::from_settings(environment.settings())?.delays();
    let mut status = InstallationStatus::default();
    if let Err(error) = read_postgres(&mut status, &database).await {
        status.unavailable.push(error.to_string());
    }
    let retry_queues = queues::retry_queues(status.connected.as_ref(), &delays);
    match queues::ask(&broker, &retry_queues).await {
        Ok(queues) => {
            status.workers =
                queues.iter().find(|queue| queue.name == WORK).and_then(|queue| queue.consumers);
            status.queues = Some(queues);
        }
        Err(error) => status.unavailable.push(error.to_string()),
    }
    status.count_what_is_queued();
    status.attention = problems(&status);
    Ok(status)
}

/// Reads what Postgres knows; what was read before an error stays.
async fn read_postgres(
    status: &mut InstallationStatus,
    database: &DatabaseConfig,
) -> Result<(), DatabaseError> {
    status.read_postgres(&database.connect().await?.client).await
}
