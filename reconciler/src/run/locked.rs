//! The frame of a run: the campus's lock, the row in `sync_logs`, and an end that is written down
//! whatever it is.

use std::{sync::Arc, time::Duration};

use campus_core::CampusCores;
use chrono::Utc;
use database::{Client, DatabaseConfig, DatabaseError, Pool};
use runtime::Trace;
use store::{Reads, Session, SyncWriter};
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    core_retry::Core,
    error::RunError,
    repair::linking::Links,
    report::{
        counters::RunCounters,
        progress::Screen,
        run_report::Report,
        span,
        sync_log::{self, Permit, Status},
    },
    run::{
        campus::Campus,
        gaps, lock,
        reconcile::{Run, reconcile},
    },
    schedule::due::{self, Spread},
};

/// How long Postgres is waited for to write down how a run ended. If it stays away, whoever finds the
/// row without its run does it.
const WRITE_DOWN_WITHIN: Duration = Duration::from_secs(3);

/// What is wanted of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) campus: Uuid,
    pub(crate) occasion: Occasion,
    /// Tell what would change, and change nothing.
    pub(crate) dry_run: bool,
    /// The archives of the last held run that are let through.
    pub(crate) allow_archive: Option<u64>,
}

/// What every run is conducted with.
pub(crate) struct Means {
    pub(crate) database: DatabaseConfig,
    pub(crate) pool: Pool,
    pub(crate) cores: CampusCores,
    pub(crate) screen: Screen,
    pub(crate) stop: CancellationToken,
}

/// How a run ended. None where somebody else reconciles the campus at this moment, or just did.
pub(crate) type Ended = Result<Option<Report>, RunError>;

/// Why there is a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// An operator named the campus.
    OnDemand,
    /// It is due, and must be so still when its lock is held.
    Due(Spread),
}

/// Runs under the campus's lock.
pub(crate) async fn conduct(order: Order, means: Arc<Means>) -> Ended {
    let (session, writer) = Session::open(&means.database, Reads::Everything).await?;
    let session = Arc::new(session);
    match order.occasion {
        Occasion::OnDemand if !lock::take_patiently(session.client(), order.campus).await? => {
            return Err(RunError::UnderWay);
        }
        Occasion::Due(_) if !lock::take(session.client(), order.campus).await? => return Ok(None),
        Occasion::OnDemand | Occasion::Due(_) => {}
    }
    let work = Work { order, means: &means };
    let ended = work.locked(&session, writer).await;
    lock::give_back(session.client(), order.campus).await;
    ended
}

struct Work<'a> {
    order: Order,
    means: &'a Means,
}

impl Work<'_> {
    async fn locked(&self, session: &Arc<Session>, writer: SyncWriter) -> Ended {
        let (order, client) = (self.order, session.client());
        if let Occasion::Due(spread) = order.occasion {
            let due = due::campuses(client, Some(order.campus), spread, Utc::now()).await?;
            let Some(due) = due.first() else { return Ok(None) };
            if due.for_gap && !order.dry_run {
                gaps::begin(client, order.campus).await?;
            }
        }
        let name = name_of(client, order.campus).await?;
        let permit = match order.allow_archive {
            Some(archives) => Some(sync_log::permit(client, order.campus, archives).await?),
            None => None,
        };
        let log = if order.dry_run {
            None
        } else {
            let on_demand = order.occasion == Occasion::OnDemand;
            Some(sync_log::begin(client, order.campus, on_demand, permit.as_ref()).await?)
        };
        let started_at = Utc::now();
        let trace = Trace::of(span::run(order.campus, log));
        let (mut run, busy) = (None, Arc::default());
        let result = tokio::select! {
            biased;
            () = self.interrupted(&busy) => Err(RunError::Interrupted),
            () = session.lost().cancelled() => Err(RunError::Lost),
            result = self.unlogged(session, writer, log, permit, &busy, &mut run)
                .instrument(trace.span().clone()) => result,
        };
        // Whatever came between: what was written until then was.
        let tally = run.map(|run| run.tally).unwrap_or_default();
        let (status, message) = end(&result, &tally);
        span::ended(&trace, (order.campus, log), status, &tally, message.as_deref());
        if let Some(log) = log {
            let written = self.write_down(log, status, &tally, message.as_deref()).await;
            // What ended the run says more than that it could not be written down.
            written.map_err(|error| result.err().unwrap_or(error.into()))?;
        }
        Ok(Some(Report::new(order, log, name, status, tally, message, started_at)))
    }

    /// The program is told to stop, and nothing is being written any more.
    async fn interrupted(&self, busy: &Mutex<()>) {
        self.means.stop.cancelled().await;
        drop(busy.lock().await);
    }

    /// Ends the run's row; not on its own session, which may be what was lost.
    async fn write_down(
        &self,
        log: Uuid,
        status: Status,
        tally: &RunCounters,
        message: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let give_up = Instant::now() + WRITE_DOWN_WITHIN;
        loop {
            let written = async {
                let client = self.means.pool.get().await?;
                sync_log::finish(&client, log, self.order.campus, status, tally, message).await?;
                if status == Status::Error {
                    return Ok(());
                }
                gaps::close(&client, self.order.campus, log).await
            };
            match written.await {
                Err(_) if Instant::now() < give_up => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                written => return written,
            }
        }
    }

    /// Puts together what the run works with, in `slot`, and runs.
    async fn unlogged(
        &self,
        session: &Arc<Session>,
        writer: SyncWriter,
        log: Option<Uuid>,
        permit: Option<Permit>,
        busy: &Arc<Mutex<()>>,
        slot: &mut Option<Run>,
    ) -> Result<(), RunError> {
        let campus = Campus::load(session.client(), self.order.campus).await?;
        let core = Arc::new(Core::new(self.means.cores.open(&campus.config)?));
        let progress = self.means.screen.progress(&campus.name);
        let run = slot.insert(Run {
            campus,
            core,
            session: Arc::clone(session),
            writer,
            now: Utc::now(),
            log,
            permit,
            links: Links::default(),
            tally: RunCounters::default(),
            progress,
            busy: Arc::clone(busy),
        });
        reconcile(run).await
    }
}

/// How a run ended, and what is to be said of it.
fn end(result: &Result<(), RunError>, tally: &RunCounters) -> (Status, Option<String>) {
    if let Err(error) = result {
        return (Status::Error, Some(error.to_string()));
    }
    let number = tally.undecided.count();
    let status = match (tally.held(), number) {
        (0, 0) => Status::Success,
        (0, _) => Status::Partial,
        _ => Status::Held,
    };
    let undecided = tally.undecided.names().next().map(|first| {
        format!(
            "{number} members or rows of the list are undecided and stay as they are, {} among them: {}",
            first.member, first.reason
        )
    });
    let moved = (tally.moved > 0).then(|| {
        format!(
            "{} members are in another church of the core by now, and active here until an operator decides.",
            tally.moved
        )
    });
    let notes: Vec<String> = moved.into_iter().chain(undecided).collect();
    (status, (!notes.is_empty()).then(|| notes.join(" ")))
}

async fn name_of(client: &Client, campus: Uuid) -> Result<String, RunError> {
    let row = client
        .query_opt(
            "SELECT c.name FROM sync_configs s JOIN campuses c ON c.id = s.campus_id WHERE c.id = $1",
            &[&campus],
        )
        .await
        .map_err(DatabaseError::during("read the campus"))?;
    Ok(row.ok_or(RunError::UnknownCampus(campus))?.get(0))
}
