//! Postgres: reachable, durable, with the schema of this version and days of the log made ahead.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use database::{Client, DatabaseError};

use super::check::Report;
use crate::{environment::Environment, failure::in_words};

/// What the project is tested with; older ones still get security fixes for a while.
const OLDEST_VERSION: i32 = 140_000;
/// Clocks that differ by more make lags and graces misleading.
const SKEW: TimeDelta = TimeDelta::seconds(5);

/// Checks the server, and answers a session for further checks; none where that makes no sense.
pub(super) async fn check(report: &mut Report, environment: &Environment) -> Option<Client> {
    // A bad setting has been reported.
    let database = environment.database().ok()?;
    let client = match database.connect().await {
        Ok(connected) => connected.client,
        Err(error) => {
            let advice = advice(&error);
            report.fail("Postgres", in_words(&error.into()), advice);
            return None;
        }
    };
    match examine(report, &client).await {
        Ok(true) => Some(client),
        Ok(false) => None,
        Err(error) => {
            report.fail(
                "Postgres",
                in_words(&error.into()),
                "use the DATABASE_URL of faith_admin here; `faithctl migrate --roles`, as the owner of the tables, gives it its rights",
            );
            None
        }
    }
}

/// What to do about a server that takes no writes.
const READ_ONLY: &str = "let DATABASE_URL name the primary; where it is the primary, `ALTER DATABASE … RESET \
     default_transaction_read_only`, and the same for the role and postgresql.conf";

/// What to do about a session that is not to be had.
fn advice(error: &DatabaseError) -> &'static str {
    if error.is_transaction_pooling() {
        return "set pool_mode = session for this database in the pooler, or let DATABASE_URL name Postgres itself";
    }
    if error.is_read_only() {
        return READ_ONLY;
    }
    match error.refusal() {
        Some("28P01" | "28000") => {
            "correct role and password in DATABASE_URL; `faithctl migrate --roles --passwords FOLDER` \
             sets the roles' passwords"
        }
        Some("3D000") => "correct the database's name in DATABASE_URL, or make it: `createdb`",
        Some("53300") => "raise max_connections, or end who holds so many (deploy/sizing.md)",
        Some("57P03") => "it is starting or recovering: wait, and look at its log",
        Some(_) => "look at Postgres's log, and at pg_hba.conf",
        None => "start it, or correct DATABASE_URL: address, port, sslmode, sslrootcert",
    }
}

/// Answers whether the schema is there to be looked at.
async fn examine(report: &mut Report, client: &Client) -> Result<bool, DatabaseError> {
    server(report, client).await?;
    if !schema(report, client).await? {
        return Ok(false);
    }
    partitions(report, client).await?;
    Ok(true)
}

const SERVER: &str = "
    SELECT current_setting('server_version') AS version,
           current_setting('server_version_num')::integer AS number,
           current_setting('fsync')::boolean AS fsync,
           current_setting('full_page_writes')::boolean AS full_page_writes,
           pg_is_in_recovery() AS is_standby,
           current_setting('transaction_read_only')::boolean AS is_read_only,
           current_setting('synchronous_commit') = 'off' AS is_asynchronous,
           clock_timestamp() AS clock,
           coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS is_encrypted,
           coalesce(inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1', true) AS is_local";

async fn server(report: &mut Report, client: &Client) -> Result<(), DatabaseError> {
    let begun = Instant::now();
    let row = client
        .query_one(SERVER, &[])
        .await
        .map_err(DatabaseError::during("ask Postgres about itself"))?;
    let round_trip = TimeDelta::from_std(begun.elapsed()).unwrap_or_default();
    let version: &str = row.get("version");
    if row.get("is_standby") {
        report.fail(
            "Postgres",
            "this server is a standby: nothing can be written",
            "let DATABASE_URL name the primary",
        );
    } else if row.get("is_read_only") {
        report.fail("Postgres", "it is read-only: nothing can be written", READ_ONLY);
    } else if row.get::<_, i32>("number") < OLDEST_VERSION {
        report.warn(
            "Postgres",
            format!("version {version} is no longer maintained"),
            "upgrade to 15 or later",
        );
    } else {
        report.ok("Postgres", format!("version {version}"));
    }
    if !row.get::<_, bool>("fsync") || !row.get::<_, bool>("full_page_writes") {
        report.warn(
            "Postgres durability",
            "fsync or full_page_writes is off: a crash of the machine loses committed rows",
            "turn both on in postgresql.conf",
        );
    } else if row.get("is_asynchronous") {
        report.warn(
            "Postgres durability",
            "synchronous_commit is off: a crash of Postgres loses rows of acknowledged events",
            "take it out of the options of DATABASE_URL",
        );
    }
    if !row.get::<_, bool>("is_local") && !row.get::<_, bool>("is_encrypted") {
        report.warn(
            "DATABASE_URL",
            "Postgres is on another machine, and the connection is not encrypted",
            "add ?sslmode=verify-full&sslrootcert=FILE, unless the network between is your own",
        );
    }
    let skew = Utc::now() - row.get::<_, DateTime<Utc>>("clock");
    if skew.abs() > SKEW + round_trip {
        report.warn(
            "clocks",
            format!("this machine's clock and Postgres's differ by {} s", skew.num_seconds().abs()),
            "let both machines follow NTP",
        );
    }
    Ok(())
}

async fn schema(report: &mut Report, client: &Client) -> Result<bool, DatabaseError> {
    let state = store::schema_state(client).await?;
    if !state.missing.is_empty() {
        report.fail(
            "schema",
            format!("not applied yet: {}", state.missing.join(", ")),
            "run `faithctl migrate --roles` as the owner of the tables",
        );
        return Ok(false);
    }
    if state.unknown > 0 {
        report.warn(
            "schema",
            format!("has {} migrations that this faithctl does not know", state.unknown),
            "upgrade faithctl and the programs to the version that migrated it",
        );
    } else {
        report.ok("schema", "up to date");
    }
    Ok(true)
}

const PARTITIONS: &str = "
    SELECT (SELECT count(*) FROM generate_series(0, 2) AS ahead
            WHERE to_regclass('webhook_logs_' || to_char((now() AT TIME ZONE 'UTC')::date + ahead, 'YYYYMMDD'))
                  IS NULL) AS missing,
           EXISTS (SELECT FROM webhook_logs_default) AS has_strays";

async fn partitions(report: &mut Report, client: &Client) -> Result<(), DatabaseError> {
    let row = client
        .query_one(PARTITIONS, &[])
        .await
        .map_err(DatabaseError::during("look for the days of webhook_logs"))?;
    let (missing, has_strays): (i64, bool) = (row.get("missing"), row.get("has_strays"));
    if missing > 0 || has_strays {
        report.warn(
            "webhook_logs",
            if missing > 0 {
                "days are not made ahead"
            } else {
                "rows lie in the default partition"
            },
            "start the reconciler: it makes the days ahead, and moves such rows where they belong; \
             meanwhile nothing is lost",
        );
    } else {
        report.ok("webhook_logs", "days are made ahead");
    }
    Ok(())
}
