//! The daemon: keeps house, and reconciles each campus when it is due.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use chrono::Utc;
use database::{DatabaseError, OPEN_LIMIT, answered, ensure_writable, within};
use instances::{Heartbeat, Instance};
use runtime::{Check, Daemon, FailureLog};
use store::OperationKind;
use tokio::time::{Interval, MissedTickBehavior, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Config, PROGRAM, housekeeping,
    notify::notify,
    operations::{self, Requested, Taken},
    report::{metrics::Metrics, progress::Terminal, sync_log, under_way::RunsUnderWay},
    run::{
        context::RunContext,
        locked::{Ended, run_locked},
        request::{RunRequest, Trigger},
    },
    schedule::{
        concurrency::ConcurrentRuns,
        due::{self, Spread},
    },
};

/// Midnight comes at another hour in every time zone.
const HOUSEKEEPING_EVERY: Duration = Duration::from_hours(1);
/// While a day of the log waits for somebody who reads it: each try makes events wait a little.
const WAITING_DAYS_EVERY: Duration = Duration::from_mins(5);
/// Between two looks at Postgres, which also tell whether it is there. A dependency that is away is
/// tried at least every 5 s.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Everything the daemon works with.
struct Reconciler {
    config: Config,
    context: Arc<RunContext>,
    metrics: Metrics,
    /// This one, as its row of `instances` has it.
    instance: Instance,
}

/// Works until the daemon is told to stop. A run that is under way then ends as interrupted: all it
/// wrote was right, and the next one goes on from there.
pub async fn run(mut config: Config, daemon: Daemon) -> anyhow::Result<()> {
    tracing::info!(
        admin_address = %daemon.admin_address,
        version = env!("CARGO_PKG_VERSION"),
        "reconciler started, admin on {}", daemon.admin_address
    );
    let Daemon { shutdown, health, .. } = daemon;
    let pool = config.pool().context("cannot make the database pool")?;
    let cores = config.cores(pool.clone()).context("cannot make the client of the core")?;
    let metrics = Metrics::new(config.retention.log);
    pool.observe();
    let under_way = RunsUnderWay::default();
    let heartbeat = Heartbeat::new(PROGRAM.name, env!("CARGO_PKG_VERSION"), health.clone())
        .with_state({
            let under_way = under_way.clone();
            move || {
                let mut told = under_way.told();
                let kinds = OperationKind::OF_RECONCILERS.map(OperationKind::as_str);
                told.insert("carries_out".to_owned(), kinds.to_vec().into());
                told
            }
        });
    let instance = heartbeat.instance().clone();
    let stop = CancellationToken::new();
    let telling = tokio::spawn(heartbeat.keep(pool.clone(), stop.clone()));
    let notifying =
        tokio::spawn(notify(std::mem::take(&mut config.notifications), pool.clone(), stop.clone()));
    let check = health.check("postgres");
    let context = RunContext {
        database: config.database.clone(),
        pool,
        cores,
        terminal: Terminal::hidden(),
        under_way,
        stop: shutdown,
    };
    let reconciler = Reconciler { config, context: Arc::new(context), metrics, instance };
    tokio::select! {
        () = reconciler.watch(&check) => {}
        () = reconciler.keep_house() => {}
        () = reconciler.reconcile() => {}
    }
    stop.cancel();
    telling.await.context("telling that this instance runs panicked")?;
    notifying.await.context("telling people what is worth a look panicked")?;
    Ok(())
}

impl Reconciler {
    /// Says whether Postgres can be worked with.
    async fn watch(&self, check: &Check) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            match within(OPEN_LIMIT, self.look()).await {
                Ok(()) => {
                    self.metrics.connected();
                    check.well();
                }
                Err(error) => {
                    self.metrics.disconnected();
                    check.failing(error.to_string());
                }
            }
        }
    }

    async fn look(&self) -> Result<(), DatabaseError> {
        let client = self.context.pool.get().await?;
        ensure_writable(&client).await?;
        // A campus whose run lost its program, or Postgres, is due again only when that is written down.
        sync_log::end_abandoned(&client).await?;
        self.metrics.runs().look(&client).await
    }

    async fn keep_house(&self) {
        let mut failures = FailureLog::default();
        loop {
            let pause = match self.pass().await {
                Ok(0) => HOUSEKEEPING_EVERY,
                Ok(_) => WAITING_DAYS_EVERY,
                Err(error) => {
                    self.metrics.failed();
                    let error = format!("{error:#}");
                    if failures.is_worth_a_line(&error) {
                        tracing::warn!(error, "housekeeping failed and is tried again");
                    } else {
                        tracing::debug!(error, "housekeeping failed again");
                    }
                    LOOK_EVERY
                }
            };
            sleep(pause).await;
        }
    }

    async fn pass(&self) -> anyhow::Result<i32> {
        let client = self.context.pool.get().await?;
        Ok(housekeeping::pass(&client, self.config.retention, &self.metrics).await?)
    }

    /// Reconciles what is due, a few campuses side by side, until a shutdown: the runs that are under
    /// way then write their ends down first.
    async fn reconcile(&self) {
        let mut runs = ConcurrentRuns::new(self.config.side_by_side());
        let mut failures = FailureLog::default();
        let mut taken = Taken::default();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.context.stop.is_cancelled() {
            tokio::select! {
                Some((campus, ended)) = runs.next() => self.tell(campus, ended),
                due = self.due(&mut looks) => match due {
                    Ok(due) => {
                        // Who asked is there, and waits: before what is due by the clock.
                        self.begin_operation(&mut runs, &mut taken).await;
                        runs.queue(due);
                    }
                    Err(error) => {
                        let error = format!("{error:#}");
                        if failures.is_worth_a_line(&error) {
                            tracing::warn!(error, "cannot read which campuses are due");
                        } else {
                            tracing::debug!(error, "still cannot read which campuses are due");
                        }
                    }
                },
                () = self.context.stop.cancelled() => break,
            }
            runs.begin(|campus| self.run(campus));
        }
        while let Some((campus, ended)) = runs.next().await {
            self.tell(campus, ended);
        }
    }

    /// Who is due, looked at in the interval's pace.
    async fn due(&self, looks: &mut Interval) -> anyhow::Result<Vec<Uuid>> {
        looks.tick().await;
        let client = self.context.pool.get().await?;
        instances::tidy(&client).await?;
        let due = due::campuses(&client, None, Spread::Jittered, Utc::now()).await?;
        Ok(due.into_iter().map(|due| due.campus).collect())
    }

    /// Takes an operation where there is room for its run.
    async fn begin_operation(&self, runs: &mut ConcurrentRuns, taken: &mut Taken) {
        if !runs.has_room() {
            return;
        }
        let operation = match answered(taken.take(&self.context.pool, self.instance.id())).await {
            Ok(Some(operation)) => operation,
            Ok(None) => return,
            Err(error) => {
                // Who is due is read right before, so that an outage has its line.
                tracing::debug!(%error, "cannot look for operations");
                return;
            }
        };
        let campus = operations::campus_of(&operation).unwrap_or_default();
        let requested = Requested { operation, instance: self.instance.clone() };
        runs.add(campus, requested.carry_out(Arc::clone(&self.context)));
    }

    fn run(&self, campus: Uuid) -> impl Future<Output = Ended> + use<> {
        let request = RunRequest {
            campus,
            trigger: Trigger::Due(Spread::Jittered),
            is_dry_run: false,
            allow_archive: None,
        };
        run_locked(request, Arc::clone(&self.context), self.context.stop.clone())
    }

    fn tell(&self, campus: Uuid, ended: Ended) {
        match ended {
            Ok(Some(report)) => self.metrics.runs().ran(&report),
            Ok(None) => {}
            Err(error) => tracing::warn!(%campus, %error, "the campus could not be reconciled"),
        }
    }
}
