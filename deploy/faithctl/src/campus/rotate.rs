//! `faithctl campus rotate-secret`

use std::time::Duration;

use campus::{Purpose, WebhookSecret};
use chrono::{DateTime, Utc};
use clap::Args;
use database::{DatabaseError, Transaction};
use runtime::parse_duration;
use serde_json::json;

use super::{CampusId, id::unknown, secret, settings_change::change_settings};
use crate::{
    environment::Environment,
    failure::say,
    input, moment,
    output::{self, Format},
};

/// Longer than any change of a secret takes.
const LONGEST_GRACE: Duration = Duration::from_hours(24 * 365);

/// Replaces the webhook secret of a campus.
///
/// Prints the new secret, which is not shown again. Within the grace the old one works as well, so
/// that there is time to enter the new one in FaithFlow.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl campus rotate-secret 0195f2d0-7c5e-7d0a-9d3f-0b6f2f6a1c11\n  \
    faithctl campus rotate-secret 0195f2d0-7c5e-7d0a-9d3f-0b6f2f6a1c11 --grace 0s    # the old one leaked")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) campus: CampusId,
    /// How long the old secret works as well; 0s: not a moment longer
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = grace)]
    grace: Duration,
    /// Read the new secret from stdin instead of making one
    #[arg(long)]
    secret_stdin: bool,
    #[command(flatten)]
    output: Format,
}

fn grace(value: &str) -> Result<Duration, String> {
    parse_duration(value)
        .filter(|grace| *grace <= LONGEST_GRACE)
        .ok_or_else(|| "expected a duration of at most a year, such as 24h, 30m or 0s".to_owned())
}

/// The previous secret's end is the database's word: clocks of operators' machines are their own.
const ROTATE: &str = "
    WITH before AS (SELECT coalesce(previous_secret_expires_at > now(), false) AS graced
                    FROM sync_configs WHERE campus_id = $1 FOR UPDATE)
    UPDATE sync_configs SET
        previous_secret_sealed = CASE WHEN $3::float8 > 0 THEN webhook_secret_sealed END,
        previous_secret_expires_at = CASE WHEN $3::float8 > 0 THEN now() + make_interval(secs => $3) END,
        webhook_secret_sealed = $2, webhook_secret_set_at = now()
    FROM before WHERE campus_id = $1
    RETURNING previous_secret_expires_at AS ends, graced";

pub(super) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    let id = arguments.campus.id;
    let sealer = environment.sealer()?;
    let database = environment.database()?;
    let secret = if arguments.secret_stdin {
        secret::given(input::secret_from_stdin("new webhook secret").await?)
    } else {
        WebhookSecret::generate()
    };
    let column = sealer.seal(id, Purpose::WebhookSecret, &secret)?;
    let mut client = database.connect().await?.client;
    let grace = arguments.grace.as_secs_f64();
    let rotate = async |transaction: &Transaction<'_>| {
        Ok(transaction.query_one(ROTATE, &[&id, &column, &grace]).await?)
    };
    let row = change_settings(&mut client, id, &["webhook_secret"], environment, rotate)
        .await
        .map_err(DatabaseError::during("save the new secret"))?;
    let Some(row) = row else { return Err(unknown(&client, id).await) };
    if arguments.output.is_json() {
        output::object(&json!({"campus_id": id, "webhook_secret": secret.expose()}))?;
    } else {
        output::line(secret.expose())?;
    }
    let ends: Option<DateTime<Utc>> = row.get("ends");
    say(&match ends {
        Some(end) => format!(
            "Enter the new secret in FaithFlow's webhook settings; the one before works until {}.",
            moment::show(end)
        ),
        None => "No other secret works any more: enter the new one in FaithFlow now.".to_owned(),
    });
    // Two secrets work at a time, not three.
    if ends.is_some() && row.get("graced") {
        say("warning: the grace of the last rotation had not ended; the secret before that one \
             stopped working now");
    }
    Ok(())
}
