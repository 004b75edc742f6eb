//! `faithctl rekey`

use campus::{Purpose, SealError, Sealer};
use clap::Args;
use database::{Client, DatabaseError, Transaction};
use serde_json::json;
use uuid::Uuid;

use crate::{environment::Environment, failure::say, output};

/// Seals everything with SECRETS_KEY that SECRETS_KEY_PREVIOUS sealed.
///
/// To change the key: give every program the new key as SECRETS_KEY and the old one as
/// SECRETS_KEY_PREVIOUS, restart them, run this, and take SECRETS_KEY_PREVIOUS away. One campus a
/// transaction: when it is interrupted, the same command goes on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    SECRETS_KEY=$NEW SECRETS_KEY_PREVIOUS=$OLD faithctl rekey")]
pub(crate) struct Arguments {
    /// Print a JSON object with the numbers
    #[arg(long)]
    json: bool,
}

/// A column with something sealed, and what for.
struct Column {
    table: &'static str,
    name: &'static str,
    purpose: Purpose,
}

const COLUMNS: [Column; 4] = [
    Column { table: "sync_configs", name: "api_password_sealed", purpose: Purpose::CorePassword },
    Column {
        table: "sync_configs",
        name: "webhook_secret_sealed",
        purpose: Purpose::WebhookSecret,
    },
    Column {
        table: "sync_configs",
        name: "previous_secret_sealed",
        purpose: Purpose::WebhookSecret,
    },
    Column { table: "core_tokens", name: "token_sealed", purpose: Purpose::CoreToken },
];

#[derive(Default)]
struct Tally {
    campuses: usize,
    sealed_anew: usize,
    unopened: Vec<Uuid>,
}

pub(crate) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let sealer = environment.sealer()?;
    let mut client = environment.client().await?;
    let mut tally = Tally::default();
    for campus in campuses(&client).await? {
        tally.campuses += 1;
        match rekey(&mut client, &sealer, campus).await? {
            Some(sealed_anew) => tally.sealed_anew += sealed_anew,
            None => tally.unopened.push(campus),
        }
    }
    if arguments.json {
        output::object(&json!({
            "campuses": tally.campuses,
            "sealed_anew": tally.sealed_anew,
            "unopened": tally.unopened,
        }))?;
    } else {
        output::line(&format!(
            "{} campuses: {} values sealed anew with SECRETS_KEY",
            tally.campuses, tally.sealed_anew
        ))?;
    }
    for campus in &tally.unopened {
        say(&format!(
            "campus {campus}: something in it opens with neither key, and was left as it is"
        ));
    }
    if tally.unopened.is_empty() {
        return Ok(());
    }
    anyhow::bail!(
        "not everything is sealed with SECRETS_KEY: is SECRETS_KEY_PREVIOUS the key before?"
    )
}

async fn campuses(client: &Client) -> Result<Vec<Uuid>, DatabaseError> {
    let rows = client
        .query("SELECT campus_id FROM sync_configs ORDER BY campus_id", &[])
        .await
        .map_err(DatabaseError::during("list the campuses"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Seals what one campus has; none, and nothing changed, where something of it does not open.
async fn rekey(
    client: &mut Client,
    sealer: &Sealer,
    campus: Uuid,
) -> anyhow::Result<Option<usize>> {
    let transaction =
        client.transaction().await.map_err(DatabaseError::during("begin with a campus"))?;
    let mut sealed_anew = 0;
    for column in &COLUMNS {
        match rekey_column(&transaction, sealer, campus, column).await {
            Ok(anew) => sealed_anew += usize::from(anew),
            Err(error) if error.is::<SealError>() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    transaction.commit().await.map_err(DatabaseError::during("save what was sealed anew"))?;
    Ok(Some(sealed_anew))
}

/// Whether the column was sealed anew. Its row stays locked until the end: a rotation or a login at
/// the same moment waits, and is not overwritten.
async fn rekey_column(
    transaction: &Transaction<'_>,
    sealer: &Sealer,
    campus: Uuid,
    column: &Column,
) -> anyhow::Result<bool> {
    let Column { table, name, purpose } = column;
    let query = format!("SELECT {name} FROM {table} WHERE campus_id = $1 FOR UPDATE");
    let row = transaction
        .query_opt(&query, &[&campus])
        .await
        .map_err(DatabaseError::during("read what is sealed"))?;
    let Some(sealed) = row.and_then(|row| row.get::<_, Option<Vec<u8>>>(0)) else {
        return Ok(false);
    };
    if sealer.is_sealed_with_current(campus, *purpose, &sealed) {
        return Ok(false);
    }
    let anew = sealer.seal(campus, *purpose, &sealer.open(campus, *purpose, &sealed)?)?;
    let statement = format!("UPDATE {table} SET {name} = $2 WHERE campus_id = $1");
    transaction
        .execute(&statement, &[&campus, &anew])
        .await
        .map_err(DatabaseError::during("seal anew"))?;
    Ok(true)
}
