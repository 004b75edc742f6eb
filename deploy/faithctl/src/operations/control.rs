//! `faithctl operations pause`, `resume`, `stop` and `set-rate`

use ::operations::parse_rate;
use clap::Args;
use database::{Client, DatabaseError, Transaction};
use serde_json::json;
use store::operations::{self, Decided, Decision};
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
    let mut client = environment.client().await?;
    let transaction = begin(&mut client, environment).await?;
    let decided = operations::pause(&transaction, named.id).await?;
    settle(named, decided, transaction, environment).await
}

pub(super) async fn resume(named: &Named, environment: &Environment) -> anyhow::Result<()> {
    let mut client = environment.client().await?;
    let transaction = begin(&mut client, environment).await?;
    let decided = operations::resume(&transaction, named.id).await?;
    settle(named, decided, transaction, environment).await
}

pub(super) async fn stop(named: &Named, environment: &Environment) -> anyhow::Result<()> {
    let mut client = environment.client().await?;
    let transaction = begin(&mut client, environment).await?;
    let decided = operations::stop(&transaction, named.id).await?;
    settle(named, decided, transaction, environment).await
}

pub(super) async fn set_rate(arguments: &SetRate, environment: &Environment) -> anyhow::Result<()> {
    let mut client = environment.client().await?;
    let transaction = begin(&mut client, environment).await?;
    let named = &arguments.named;
    let decided = operations::set_rate(&transaction, named.id, arguments.rate.0).await?;
    settle(named, decided, transaction, environment).await
}

async fn begin<'a>(
    client: &'a mut Client,
    environment: &Environment,
) -> anyhow::Result<Transaction<'a>> {
    environment.change().require_audit(client).await?;
    let begun = client.transaction().await;
    Ok(begun.map_err(DatabaseError::during("change the operation"))?)
}

/// Notes the decision with what it changed, in its transaction, and says what became of it.
async fn settle(
    named: &Named,
    decided: Decided,
    transaction: Transaction<'_>,
    environment: &Environment,
) -> anyhow::Result<()> {
    let Some(Decision { before, operation, is_change, ended }) = decided else {
        anyhow::bail!("there is no operation {}: `faithctl operations list` lists them", named.id);
    };
    anyhow::ensure!(
        is_change || !operation.has_ended(),
        "operation {} has ended already: {}",
        named.id,
        operation.state
    );
    let mut subject = json!({"operation": operation.id, "kind": operation.kind});
    if before.state != operation.state {
        subject["state"] = json!({"old": before.state, "new": operation.state});
    }
    if before.rate != operation.rate {
        subject["rate"] = json!({"old": before.rate, "new": operation.rate});
    }
    let change = environment.change();
    change.of_operation(operation.id);
    change
        .commit(transaction, operation.campus(), &subject)
        .await
        .map_err(DatabaseError::during("change the operation"))?;
    if let Some(ended) = ended {
        ended.committed();
    }
    let rate = operation.rate.map_or_else(String::new, |rate| format!(", at most {rate}/s"));
    say(&format!("operation {} is {}{rate}", named.id, operation.state));
    if named.output.is_json() { output::object(&operation) } else { Ok(()) }
}
