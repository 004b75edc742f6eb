//! The frame of a run: the campus's lock, the row in `sync_logs`, and an end that is written down
//! whatever it is.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use database::{Client, DatabaseError, Fault};
use runtime::Trace;
use store::{Reads, RunStatus, Session, SyncWriter};
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    core_retry::Core,
    error::RunError,
    repair::writer::Writer,
    report::{
        counters::RunCounters,
        run_report::RunReport,
        span,
        sync_log::{self, Permit},
    },
    run::{
        campus::Campus,
        context::{Run, RunContext},
        gaps, lock,
        reconcile::reconcile,
        request::{RunRequest, Trigger},
    },
    schedule::due,
};

/// How long Postgres is waited for to write down how a run ended. If it stays away, whoever finds the
/// row without its run does it.
const WRITE_DOWN_WITHIN: Duration = Duration::from_secs(3);

/// How soon a run under way notices that its campus is paused. What it writes until then is not taken.
const LOOK_FOR_PAUSE: Duration = Duration::from_secs(2);

/// How a run ended. None where somebody else reconciles the campus at this moment, or just did.
pub(crate) type Ended = Result<Option<RunReport>, RunError>;

/// Runs under the campus's lock.
/// With `stop` it ends as interrupted: all that it wrote until then was right.
pub(crate) async fn run_locked(
    request: RunRequest,
    context: Arc<RunContext>,
    stop: CancellationToken,
) -> Ended {
    let (session, writer) = Session::open(&context.database, Reads::Everything).await?;
    let session = Arc::new(session);
    match request.trigger {
        Trigger::OnDemand if !lock::take_or_wait(session.client(), request.campus).await? => {
            return Err(RunError::UnderWay);
        }
        Trigger::Due(_) if !lock::take(session.client(), request.campus).await? => return Ok(None),
        Trigger::OnDemand | Trigger::Due(_) => {}
    }
    let campus = request.campus;
    let ended = Locked { request, context: &context, stop }.run(&session, writer).await;
    lock::give_back(session.client(), campus).await;
    ended
}

/// A run that holds its campus's lock.
struct Locked<'a> {
    request: RunRequest,
    context: &'a RunContext,
    stop: CancellationToken,
}

impl Locked<'_> {
    async fn run(&self, session: &Arc<Session>, writer: SyncWriter) -> Ended {
        let (request, client) = (&self.request, session.client());
        if !self.is_still_due(client).await? {
            return Ok(None);
        }
        let name = name_of(client, request.campus).await?;
        let permit = match &request.allow_archive {
            Some(allowance) => Some(sync_log::permit(client, request.campus, allowance).await?),
            None => None,
        };
        let log = if request.is_dry_run {
            None
        } else {
            let sync_type = request.trigger.sync_type();
            Some(sync_log::begin(client, request.campus, sync_type, permit.as_ref()).await?)
        };
        let started_at = Utc::now();
        let trace = Trace::of(span::run(request.campus, log));
        let (mut counters, busy) = (RunCounters::default(), Arc::default());
        let mut writer = match log {
            Some(run) => Writer::live(run, writer, Arc::clone(&busy)),
            None => Writer::DryRun(writer),
        };
        let result = tokio::select! {
            biased;
            () = self.interrupted(&busy) => Err(RunError::Interrupted),
            () = self.paused(&busy) => Err(RunError::Paused(self.request.campus)),
            () = session.lost().cancelled() => Err(RunError::Lost),
            result = self.reconcile(session, permit, &mut writer, &mut counters)
                .instrument(trace.span().clone()) => result,
        };
        let is_cut_off = match &result {
            Err(RunError::Lost) => true,
            Err(RunError::Database(error)) => error.fault() == Fault::Session,
            _ => false,
        };
        // Whatever came between: what was written until then was.
        let (status, message) = end(&result, &counters);
        span::ended(&trace, (request.campus, log), status, &counters, message.as_deref());
        if let Some(log) = log {
            let written = self.write_down(log, status, &counters, message.as_deref()).await;
            // What ended the run says more than that it could not be written down.
            written.map_err(|error| result.err().unwrap_or(error.into()))?;
        }
        let mut report = RunReport::new(request, log, name, status, counters, message, started_at);
        report.is_cut_off = is_cut_off;
        Ok(Some(report))
    }

    /// Whether somebody else did meanwhile what this run is for. One for a gap begins by saying so.
    async fn is_still_due(&self, client: &Client) -> Result<bool, DatabaseError> {
        let Trigger::Due(spread) = self.request.trigger else { return Ok(true) };
        let campus = self.request.campus;
        let due = due::campuses(client, Some(campus), spread, Utc::now()).await?;
        let Some(due) = due.first() else { return Ok(false) };
        if due.for_gap && !self.request.is_dry_run {
            gaps::begin(client, campus).await?;
        }
        Ok(true)
    }

    /// Puts together what the run reads from, and runs.
    async fn reconcile(
        &self,
        session: &Arc<Session>,
        permit: Option<Permit>,
        writer: &mut Writer,
        counters: &mut RunCounters,
    ) -> Result<(), RunError> {
        let campus = Campus::load(session.client(), self.request.campus).await?;
        let core = Arc::new(Core::new(self.context.cores.open(&campus.config)?));
        let under_way = self.context.under_way.begin(campus.id);
        let progress = self.context.terminal.progress(&campus.name, under_way);
        let session = Arc::clone(session);
        let run = Run { campus, core, session, now: Utc::now(), permit, progress };
        reconcile(&run, writer, counters).await
    }

    /// The program is told to stop, and nothing is being written any more.
    async fn interrupted(&self, busy: &Mutex<()>) {
        self.stop.cancelled().await;
        drop(busy.lock().await);
    }

    /// The campus is paused during the run, and nothing is being written any more.
    async fn paused(&self, busy: &Mutex<()>) {
        loop {
            tokio::time::sleep(LOOK_FOR_PAUSE).await;
            let asked = async {
                let client = self.context.pool.get().await?;
                let is_paused =
                    "SELECT FROM sync_configs WHERE campus_id = $1 AND paused_at IS NOT NULL";
                client
                    .query_opt(is_paused, &[&self.request.campus])
                    .await
                    .map_err(DatabaseError::during("look whether the campus is paused"))
            };
            // Where Postgres cannot be asked, the run ends for that.
            if let Ok(Some(_)) = asked.await {
                break;
            }
        }
        drop(busy.lock().await);
    }

    /// Ends the run's row; not on its own session, which may be what was lost.
    async fn write_down(
        &self,
        log: Uuid,
        status: RunStatus,
        counters: &RunCounters,
        message: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let give_up = Instant::now() + WRITE_DOWN_WITHIN;
        loop {
            let written = async {
                let client = self.context.pool.get().await?;
                let campus = self.request.campus;
                sync_log::finish(&client, log, campus, status, counters, message).await?;
                if status == RunStatus::Error {
                    return Ok(());
                }
                gaps::close(&client, campus, log).await
            };
            match written.await {
                Err(_) if Instant::now() < give_up => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                written => return written,
            }
        }
    }
}

/// How a run ended, and what is to be said of it.
fn end(result: &Result<(), RunError>, counters: &RunCounters) -> (RunStatus, Option<String>) {
    if let Err(error) = result {
        return (RunStatus::Error, Some(error.to_string()));
    }
    let number = counters.undecided.count();
    let status = match (counters.held(), number) {
        (0, 0) => RunStatus::Success,
        (0, _) => RunStatus::Partial,
        _ => RunStatus::Held,
    };
    let undecided = counters.undecided.names().next().map(|first| {
        format!(
            "{number} members or rows of the list are undecided and stay as they are, {} among them: {}",
            first.member, first.reason
        )
    });
    let moved = (counters.moved > 0).then(|| {
        format!(
            "{} members are in another church of the core by now, and active here until an operator decides.",
            counters.moved
        )
    });
    let notes: Vec<String> = moved.into_iter().chain(undecided).collect();
    (status, (!notes.is_empty()).then(|| notes.join(" ")))
}

/// The name of a campus that may be reconciled.
async fn name_of(client: &Client, campus: Uuid) -> Result<String, RunError> {
    let row = client
        .query_opt(
            "SELECT c.name, s.paused_at IS NOT NULL AS is_paused
             FROM sync_configs s JOIN campuses c ON c.id = s.campus_id WHERE c.id = $1",
            &[&campus],
        )
        .await
        .map_err(DatabaseError::during("read the campus"))?
        .ok_or(RunError::UnknownCampus(campus))?;
    if row.get("is_paused") { Err(RunError::Paused(campus)) } else { Ok(row.get("name")) }
}
