//! `faithctl rekey`

use campus::{Purpose, Sealer};
use clap::Args;
use database::{Client, DatabaseError, Transaction};
use serde_json::json;
use uuid::Uuid;

use crate::{
    change::Change,
    environment::Environment,
    failure::say,
    output::{self, Format},
};

/// Seals everything with SECRETS_KEY that SECRETS_KEY_PREVIOUS sealed.
///
/// To change the key: give every program the new key as SECRETS_KEY and the old one as
/// SECRETS_KEY_PREVIOUS, restart them, run this, and take SECRETS_KEY_PREVIOUS away. One campus a
/// transaction: when it is interrupted, the same command goes on. A secret that opens with neither
/// key is named and left as it is; a core's token that does not open is forgotten, since the next
/// login makes another.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    SECRETS_KEY=$NEW SECRETS_KEY_PREVIOUS=$OLD faithctl rekey")]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: Format,
}

/// A column with something sealed, and what for.
struct Column {
    table: &'static str,
    name: &'static str,
    purpose: Purpose,
    /// As an operator calls it.
    called: &'static str,
}

const COLUMNS: [Column; 4] = [
    Column {
        table: "sync_configs",
        name: "api_password_sealed",
        purpose: Purpose::CorePassword,
        called: "the core password",
    },
    Column {
        table: "sync_configs",
        name: "webhook_secret_sealed",
        purpose: Purpose::WebhookSecret,
        called: "the webhook secret",
    },
    Column {
        table: "sync_configs",
        name: "previous_secret_sealed",
        purpose: Purpose::WebhookSecret,
        called: "the previous webhook secret",
    },
    Column {
        table: "core_tokens",
        name: "token_sealed",
        purpose: Purpose::CoreToken,
        called: "the core token",
    },
];

/// What became of a column.
enum Sealed {
    Anew,
    /// It was so before, or there is nothing.
    AsItShould,
    /// It opens with neither key.
    Unopened,
}

#[derive(Default)]
struct Tally {
    campuses: usize,
    sealed_anew: usize,
    unopened: Vec<(Uuid, &'static str)>,
}

pub(crate) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let sealer = environment.sealer()?;
    let mut client = environment.client().await?;
    let mut tally = Tally::default();
    for campus in campuses(&client).await? {
        tally.campuses += 1;
        rekey(&mut client, &sealer, campus, &mut tally, environment.change()).await?;
    }
    let mut unopened: Vec<Uuid> = tally.unopened.iter().map(|(campus, _)| *campus).collect();
    unopened.dedup();
    environment.change().tell(json!({
        "campuses": tally.campuses,
        "sealed_anew": tally.sealed_anew,
        "unopened": unopened,
    }));
    if arguments.output.is_json() {
        output::object(&json!({
            "campuses": tally.campuses,
            "sealed_anew": tally.sealed_anew,
            "unopened": unopened,
        }))?;
    } else {
        output::line(&format!(
            "{} campuses: {} values sealed anew with SECRETS_KEY",
            tally.campuses, tally.sealed_anew
        ))?;
    }
    for (campus, what) in &tally.unopened {
        say(&format!("campus {campus}: {what} opens with neither key, and was left as it is"));
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

/// Seals what one campus has, as far as it opens.
async fn rekey(
    client: &mut Client,
    sealer: &Sealer,
    campus: Uuid,
    tally: &mut Tally,
    change: &Change,
) -> anyhow::Result<()> {
    let transaction =
        client.transaction().await.map_err(DatabaseError::during("begin with a campus"))?;
    let (mut sealed_anew, mut unopened) = (0, Vec::new());
    for column in &COLUMNS {
        match rekey_column(&transaction, sealer, campus, column).await? {
            Sealed::Anew => sealed_anew += 1,
            Sealed::AsItShould => {}
            Sealed::Unopened => unopened.push((campus, column.called)),
        }
    }
    if sealed_anew > 0 {
        let subject = json!({"sealed_anew": sealed_anew});
        let noted = change.commit_part(transaction, Some(campus), &subject).await;
        noted.map_err(DatabaseError::during("save what was sealed anew"))?;
    }
    tally.sealed_anew += sealed_anew;
    tally.unopened.extend(unopened);
    Ok(())
}

/// Seals a column anew. Its row stays locked until the end: a rotation or a login at
/// the same moment waits, and is not overwritten.
async fn rekey_column(
    transaction: &Transaction<'_>,
    sealer: &Sealer,
    campus: Uuid,
    column: &Column,
) -> anyhow::Result<Sealed> {
    let Column { table, name, purpose, .. } = column;
    let query = format!("SELECT {name} FROM {table} WHERE campus_id = $1 FOR UPDATE");
    let row = transaction
        .query_opt(&query, &[&campus])
        .await
        .map_err(DatabaseError::during("read what is sealed"))?;
    let Some(sealed) = row.and_then(|row| row.get::<_, Option<Vec<u8>>>(0)) else {
        return Ok(Sealed::AsItShould);
    };
    if sealer.is_sealed_with_current(campus, *purpose, &sealed) {
        return Ok(Sealed::AsItShould);
    }
    let anew = match sealer.open(campus, *purpose, &sealed) {
        Ok(opened) => Some(sealer.seal(campus, *purpose, &opened)?),
        // A token is only remembered: the next login makes another.
        Err(_) if *purpose == Purpose::CoreToken => None,
        Err(_) => return Ok(Sealed::Unopened),
    };
    let statement = format!("UPDATE {table} SET {name} = $2 WHERE campus_id = $1");
    transaction
        .execute(&statement, &[&campus, &anew])
        .await
        .map_err(DatabaseError::during("seal anew"))?;
    Ok(if anew.is_some() { Sealed::Anew } else { Sealed::AsItShould })
}
