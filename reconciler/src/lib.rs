//! The reconciler. For now it keeps house: what the others rely on being there tomorrow, and what
//! changes because a day has passed and not because somebody did something.

mod ages;
mod config;
mod housekeeping;
mod metrics;
mod once;

use std::{convert::Infallible, time::Duration};

use database::Connected;
use runtime::{Check, Daemon, Program, variables};
use tokio::time::sleep;

pub use config::{Config, VARIABLES};
pub use once::run_once;

use crate::metrics::Metrics;

/// Who this is.
pub const PROGRAM: Program =
    Program { name: "reconciler", admin_listen: variables::RECONCILER_ADMIN_LISTEN };

/// Midnight comes at another hour in every time zone.
const EVERY: Duration = Duration::from_hours(1);
/// A dependency that is away is tried at least every 5 s.
const PAUSE: Duration = Duration::from_secs(4);

/// Keeps house until the daemon is told to stop. Every statement is a transaction of its own, so
/// one that is cut off leaves nothing half done.
pub async fn run(config: Config, daemon: Daemon) -> anyhow::Result<()> {
    tracing::info!(
        admin_address = %daemon.admin_address,
        version = env!("CARGO_PKG_VERSION"),
        "reconciler started, admin on {}", daemon.admin_address
    );
    let check = daemon.health.check("postgres");
    let metrics = Metrics::new(config.log_retention);
    tokio::select! {
        () = keep_house(&config, &check, &metrics) => {}
        () = daemon.shutdown.cancelled() => {}
    }
    Ok(())
}

async fn keep_house(config: &Config, check: &Check, metrics: &Metrics) {
    loop {
        let Err(error) = session(config, check, metrics).await;
        metrics.failed();
        check.failing(format!("{error:#}"));
        tracing::warn!(error = format!("{error:#}"), "housekeeping failed and is tried again");
        sleep(PAUSE).await;
    }
}

/// Keeps house on one session until that is lost, or something on it fails.
async fn session(config: &Config, check: &Check, metrics: &Metrics) -> anyhow::Result<Infallible> {
    let Connected { client, mut connection, .. } = config.database.connect().await?;
    metrics.connected();
    loop {
        housekeeping::pass(&client, config.log_retention, metrics).await?;
        check.well();
        tokio::select! {
            _ = &mut connection => {
                return Err(anyhow::anyhow!("the session with Postgres was lost"));
            }
            () = sleep(EVERY) => {}
        }
    }
}
