//! The daemon: keeps house, and reconciles each campus when it is due.

use std::time::Duration;

use anyhow::Context;
use campus_core::CampusCores;
use chrono::Utc;
use database::Pool;
use runtime::{Check, Daemon};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    Config,
    conduct::{Occasion, Order, conduct},
    due::{self, Spread},
    housekeeping,
    metrics::Metrics,
};

/// Midnight comes at another hour in every time zone.
const HOUSEKEEPING_EVERY: Duration = Duration::from_hours(1);
/// Between two looks at Postgres, which also tell whether it is there. A dependency that is away is
/// tried at least every 5 s.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Everything the daemon works with.
struct Reconciler {
    config: Config,
    pool: Pool,
    cores: CampusCores,
    metrics: Metrics,
    shutdown: CancellationToken,
}

/// Works until the daemon is told to stop. A run that is under way then ends as interrupted: all it
/// wrote was right, and the next one goes on from there.
pub async fn run(config: Config, daemon: Daemon) -> anyhow::Result<()> {
    tracing::info!(
        admin_address = %daemon.admin_address,
        version = env!("CARGO_PKG_VERSION"),
        "reconciler started, admin on {}", daemon.admin_address
    );
    let Daemon { shutdown, health, .. } = daemon;
    let pool = config.pool().context("cannot make the database pool")?;
    let cores = config.cores(pool.clone()).context("cannot make the client of the core")?;
    let metrics = Metrics::new(config.log_retention);
    let check = health.check("postgres");
    let reconciler = Reconciler { config, pool, cores, metrics, shutdown };
    tokio::select! {
        () = reconciler.watch(&check) => {}
        () = reconciler.keep_house() => {}
        () = reconciler.reconcile() => {}
    }
    Ok(())
}

impl Reconciler {
    /// Says whether Postgres can be worked with.
    async fn watch(&self, check: &Check) {
        loop {
            match self.look().await {
                Ok(()) => {
                    self.metrics.connected();
                    check.well();
                }
                Err(error) => {
                    self.metrics.disconnected();
                    check.failing(format!("{error:#}"));
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&self) -> anyhow::Result<()> {
        let client = self.pool.get().await?;
        self.metrics.runs().look(&client).await?;
        Ok(())
    }

    async fn keep_house(&self) {
        loop {
            let pause = match self.pass().await {
                Ok(()) => HOUSEKEEPING_EVERY,
                Err(error) => {
                    self.metrics.failed();
                    let error = format!("{error:#}");
                    tracing::warn!(error, "housekeeping failed and is tried again");
                    LOOK_EVERY
                }
            };
            sleep(pause).await;
        }
    }

    async fn pass(&self) -> anyhow::Result<()> {
        let client = self.pool.get().await?;
        housekeeping::pass(&client, self.config.log_retention, &self.metrics).await?;
        Ok(())
    }

    /// Reconciles what is due, one campus after the other, until a shutdown: the run that is under
    /// way then writes its end down first.
    async fn reconcile(&self) {
        while !self.shutdown.is_cancelled() {
            if let Err(error) = self.reconcile_due().await {
                tracing::warn!(error = format!("{error:#}"), "cannot see which campuses are due");
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
    }

    async fn reconcile_due(&self) -> anyhow::Result<()> {
        let due = {
            let client = self.pool.get().await?;
            due::campuses(&client, None, Spread::Jittered, Utc::now()).await?
        };
        for campus in due {
            if self.shutdown.is_cancelled() {
                break;
            }
            let order = Order {
                campus,
                occasion: Occasion::Due(Spread::Jittered),
                dry_run: false,
                allow_archive: None,
                show_progress: false,
            };
            let begun = Instant::now();
            match conduct(order, &self.config.database, &self.cores, &self.shutdown).await {
                Ok(Some(report)) => self.metrics.runs().ran(&report, begun.elapsed()),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%campus, %error, "the campus could not be reconciled");
                }
            }
        }
        Ok(())
    }
}
