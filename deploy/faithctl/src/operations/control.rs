//! `faithctl operations pause`, `resume`, `stop` and `set-rate`

use ::operations::parse_rate;
use clap::Args;
use database::DatabaseError;
use store::operations::{self, Decided};
use uuid::Uuid;

use crate::{
    environment::Environment,
    failure::say,
    output::{self, Format},
};

/// The operation that a command is about.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// Id of the operation
    #[arg(value_name = "ID")]
    id: Uuid,
    #[command(flatten)]
    output: Format,
}

/// Pauses an operation: what is under way is finished, and nothing more is begun until it is resumed.
///
/// A run of the reconciler is interrupted, and begins anew when it is resumed.
#[derive(Debug, Args)]
#[command(after_help = "In force within a second.")]
pub(super) struct Pause {
    #[command(flatten)]
    pub(super) named: Named,
}

/// Lets a paused operation go on.
#[derive(Debug, Args)]
#[command(
    after_help = "Another operation about the same letters that was begun meanwhile goes first."
)]
pub(super) struct Resume {
    #[command(flatten)]
    pub(super) named: Named,
}

/// Ends an operation. What it did is done, what it did not come to stays as it is.
#[derive(Debug, Args)]
#[command(after_help = "In force within a second.")]
pub(super) struct Stop {
    #[command(flatten)]
    pub(super) named: Named,
}

/// Sets how fast an operation goes.
#[derive(Debug, Args)]
#[command(after_help = "In force with the next batch.\n\nExamples:\n  \
    faithctl operations set-rate 01936d4e-5f0a-7c3e-9b1d-2a4c6e8f0a1b 20/s\n  \
    faithctl operations set-rate 01936d4e-5f0a-7c3e-9b1d-2a4c6e8f0a1b off")]
pub(super) struct SetRate {
    #[command(flatten)]
    named: Named,
    /// At most so many a second, such as 50/s; off: as fast as it goes
    #[arg(value_name = "N/s", value_parser = rate)]
    rate: Rate,
}

/// None: as fast as it goes.
#[derive(Debug, Clone, Copy)]
struct Rate(Option<i32>);

fn rate(text: &str) -> Result<Rate, String> {
    if text == "off" {
        return Ok(Rate(None));
    }
    let rate = parse_rate(text).map_err(|expected| format!("{expected}, or off"))?;
    Ok(Rate(i32::try_from(rate).ok()))
}

pub(super) async fn pause(named: &Named, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    environment.change().require_audit(&client).await?;
    say_what_became(named, operations::pause(&client, named.id).await)
}

pub(super) async fn resume(named: &Named, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    environment.change().require_audit(&client).await?;
    say_what_became(named, operations::resume(&client, named.id).await)
}

pub(super) async fn stop(named: &Named, environment: &Environment) -> anyhow::Result<()> {
    let mut client = environment.client().await?;
    environment.change().require_audit(&client).await?;
    say_what_became(named, operations::stop(&mut client, named.id).await)
}

pub(super) async fn set_rate(arguments: &SetRate, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    environment.change().require_audit(&client).await?;
    let named = &arguments.named;
    say_what_became(named, operations::set_rate(&client, named.id, arguments.rate.0).await)
}

fn say_what_became(named: &Named, decided: Result<Decided, DatabaseError>) -> anyhow::Result<()> {
    let Some((operation, changed)) = decided? else {
        anyhow::bail!("there is no operation {}: `faithctl operations list` lists them", named.id);
    };
    anyhow::ensure!(
        changed || !operation.has_ended(),
        "operation {} has ended already: {}",
        named.id,
        operation.state
    );
    let rate = operation.rate.map_or_else(String::new, |rate| format!(", at most {rate}/s"));
    say(&format!("operation {} is {}{rate}", named.id, operation.state));
    if named.output.is_json() { output::object(&operation) } else { Ok(()) }
}
