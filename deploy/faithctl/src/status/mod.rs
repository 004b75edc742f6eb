//! `faithctl status`: what to look at, queues, lag, workers, dead letters and runs in one screen.

pub(crate) mod problems;
pub(crate) mod queries;
pub(crate) mod queues;
mod screen;

use clap::Args;
use database::{DatabaseConfig, DatabaseError};
use queue::WORK;
use retry::RetrySchedule;
use serde::Serialize;

use self::{
    problems::{Matter, matters},
    queries::{CampusSync, Connected, DeadLetters, Flow, Run},
    queues::QueueState,
};
use crate::{environment::Environment, failure::Reported, output};

/// Shows queues, lag, workers, dead letters and last runs, in one screen.
///
/// What cannot be reached is said, the rest is shown nonetheless.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 1 means that RabbitMQ or Postgres is away. `faithctl doctor` looks \
    for reasons.\n\nExamples:\n  \
    faithctl status\n  \
    watch -n 5 faithctl status\n  \
    faithctl status --json | jq '.queues[] | select(.name == \"member-events.work\") | .messages'"
)]
pub(crate) struct Arguments {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Everything there is to say now; a part is none where it could not be asked.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Status {
    /// Programs that consume the work queue.
    workers: Option<u32>,
    queues: Option<Vec<QueueState>>,
    flow: Option<Flow>,
    dead_letters: Option<Vec<DeadLetters>>,
    runs: Option<Vec<Run>>,
    campuses: Option<Vec<CampusSync>>,
    connected: Option<Connected>,
    /// What somebody should look at, the worst first.
    attention: Vec<Matter>,
    /// What could not be asked, and why.
    problems: Vec<String>,
}

pub(crate) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let broker = environment.broker()?;
    let database = environment.database()?;
    let delays = RetrySchedule::from_settings(environment.settings())?.delays();
    let mut status = Status::default();
    match queues::ask(&broker, &delays).await {
        Ok(queues) => {
            status.workers =
                queues.iter().find(|queue| queue.name == WORK).and_then(|queue| queue.consumers);
            status.queues = Some(queues);
        }
        Err(error) => status.problems.push(error.to_string()),
    }
    if let Err(error) = status.read_ledger(&database).await {
        status.problems.push(error.to_string());
    }
    status.attention = matters(&status);
    if arguments.json {
        output::object(&status)?;
    } else {
        output::line(&screen::text(&status))?;
    }
    if status.problems.is_empty() { Ok(()) } else { Err(Reported.into()) }
}

impl Status {
    /// Reads what Postgres knows; what was read before an error stays.
    async fn read_ledger(&mut self, database: &DatabaseConfig) -> Result<(), DatabaseError> {
        let client = database.connect().await?.client;
        self.flow = Some(Flow::load(&client).await?);
        self.dead_letters = Some(DeadLetters::load(&client).await?);
        self.runs = Some(Run::load(&client).await?);
        self.campuses = Some(CampusSync::load(&client).await?);
        self.connected = Some(Connected::load(&client).await?);
        Ok(())
    }
}
