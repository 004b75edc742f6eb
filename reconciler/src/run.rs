//! One run for one campus, as a story: lock, read the list, check it, find what differs, repair it,
//! archive whom the core says is gone, report.

use std::sync::Arc;

use campus_core::{CampusCores, CoreSession};
use chrono::{DateTime, Utc};
use database::{DatabaseConfig, DatabaseError};
use store::{Mandate, Session, SyncWriter};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    archive,
    campus::Campus,
    canary::Canaries,
    diff::{self, Question},
    due::{self, Spread},
    error::RunError,
    lock,
    log::{self, Permit, Status},
    progress::Progress,
    read, repair,
    report::Report,
    tally::Tally,
};

/// What is wanted of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) campus: Uuid,
    /// An operator named the campus; else it must be due still when its lock is held.
    pub(crate) occasion: Occasion,
    /// Tell what would change, and change nothing.
    pub(crate) dry_run: bool,
    /// The archives of the last held run that are let through.
    pub(crate) allow_archive: Option<u64>,
    pub(crate) show_progress: bool,
}

/// Why there is a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    OnDemand,
    Due(Spread),
}

/// What a run works with.
pub(crate) struct Run {
    pub(crate) campus: Campus,
    pub(crate) core: Arc<CoreSession>,
    pub(crate) session: Session,
    pub(crate) writer: SyncWriter,
    pub(crate) now: DateTime<Utc>,
    /// The row in `sync_logs`; a dry run has none.
    pub(crate) log: Option<Uuid>,
    pub(crate) permit: Option<Permit>,
    pub(crate) tally: Tally,
    pub(crate) progress: Progress,
}

impl Run {
    /// How far writes may go that archive nobody.
    pub(crate) fn mandate(&self) -> Mandate {
        Mandate {
            run: self.log.unwrap_or_default(),
            campus: self.campus.id,
            config_version: self.campus.config.version,
            archives: None,
        }
    }
}

/// Runs to an end, whatever it is, and writes that end down. None where somebody else reconciles
/// the campus at this moment, or just did.
pub(crate) async fn run(
    order: Order,
    database: &DatabaseConfig,
    cores: &CampusCores,
    stop: &CancellationToken,
) -> Result<Option<Report>, RunError> {
    let (session, writer) = Session::open(database).await?;
    let client = session.client();
    if !lock::take(client, order.campus).await? {
        return match order.occasion {
            Occasion::OnDemand => Err(RunError::UnderWay),
            Occasion::Due(_) => Ok(None),
        };
    }
    if let Occasion::Due(spread) = order.occasion
        && due::campuses(client, Some(order.campus), spread, Utc::now()).await?.is_empty()
    {
        return Ok(None);
    }
    let permit = match order.allow_archive {
        Some(archives) => Some(log::permit(client, order.campus, archives).await?),
        None => None,
    };
    let log = if order.dry_run {
        None
    } else {
        let on_demand = order.occasion == Occasion::OnDemand;
        Some(log::begin(client, order.campus, on_demand, permit.as_ref()).await?)
    };
    let started_at = Utc::now();
    let mut tally = Tally::default();
    let lost = session.lost().clone();
    let (result, name) = tokio::select! {
        biased;
        () = stop.cancelled() => (Err(RunError::Interrupted), None),
        () = lost.cancelled() => (Err(RunError::Lost), None),
        result = prepared(order, cores, session, writer, log, permit, &mut tally) => result,
    };
    let status = match &result {
        Ok(()) if tally.held > 0 => Status::Held,
        Ok(()) => Status::Success,
        Err(_) => Status::Error,
    };
    let message = match &result {
        Ok(()) if tally.undecided > 0 => Some(format!(
            "{} members stay as they are, because the core gave no usable answer for them.",
            tally.undecided
        )),
        Ok(()) => None,
        Err(error) => Some(error.to_string()),
    };
    if let Some(log) = log {
        // On a session of its own: the run's may be what was lost.
        let client = database.connect().await?.client;
        log::finish(&client, log, status, &tally, message.as_deref()).await?;
    }
    Ok(Some(Report::new(order, log, name, status, tally, message, started_at)))
}

/// Puts together what the run works with, and runs. The tally is handed back also by a run that
/// fails half-way.
async fn prepared(
    order: Order,
    cores: &CampusCores,
    session: Session,
    writer: SyncWriter,
    log: Option<Uuid>,
    permit: Option<Permit>,
    tally: &mut Tally,
) -> (Result<(), RunError>, Option<String>) {
    let campus = match Campus::load(session.client(), order.campus).await {
        Ok(campus) => campus,
        Err(error) => return (Err(error), None),
    };
    let name = campus.name.clone();
    let core = match cores.open(&campus.config) {
        Ok(core) => core,
        Err(failure) => return (Err(failure.into()), Some(name)),
    };
    let progress =
        if order.show_progress { Progress::of_command(&campus.name) } else { Progress::hidden() };
    let mut run = Run {
        campus,
        core,
        session,
        writer,
        now: Utc::now(),
        log,
        permit,
        tally: Tally::default(),
        progress,
    };
    let result = reconcile(&mut run).await;
    *tally = run.tally;
    (result, Some(name))
}

/// The story.
async fn reconcile(run: &mut Run) -> Result<(), RunError> {
    run.progress.step("reading the list", None);
    let list = read::read(&run.session, &run.core, &run.campus, run.now, &run.progress).await?;
    run.tally.fetched = list.listed.members;
    run.tally.foreign = list.listed.foreign;
    run.tally.unusable = list.unusable;
    let active = active_members(run).await?;
    list.listed.check(active)?;

    run.progress.step("comparing", None);
    let question = Question {
        campus: run.campus.id,
        config_version: run.campus.config.version,
        is_filterable: list.is_filterable,
    };
    let candidates = diff::find(run.session.client(), &question).await?;
    tracing::info!(
        campus = %run.campus.id, listed = run.tally.fetched, foreign = run.tally.foreign,
        unseen = candidates.unseen, doubtful = candidates.doubtful, absent = candidates.absent,
        "the list is compared"
    );
    let canaries = Canaries::pick(run.session.client()).await?;
    if candidates.to_be_asked_for() > 0 {
        canaries.check(&run.core, &run.campus).await?;
    }

    repair::create(run, candidates.unseen).await?;
    repair::decide(run, &question, candidates.to_be_asked_for()).await?;
    archive::archive(run, &question, &canaries, active).await?;
    if run.log.is_some() {
        diff::forget(run.session.client(), &question).await?;
    }
    Ok(())
}

async fn active_members(run: &Run) -> Result<u64, RunError> {
    let row = run
        .session
        .client()
        .query_one(
            "SELECT count(*) FROM members
             WHERE campus_id = $1 AND external_member_id IS NOT NULL AND NOT is_archived",
            &[&run.campus.id],
        )
        .await
        .map_err(DatabaseError::during("count the campus's members"))?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}
