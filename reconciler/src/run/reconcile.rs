//! One run for one campus, as a story: read the list, check it, find what differs, repair it,
//! archive whom the core says is gone, and bring back whom it says is active.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use store::{Session, SyncWriter, WriteScope};
use tokio::sync::Mutex;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    core_retry::Core,
    diff::{self, Compared, Question},
    error::RunError,
    list::read::{self, List},
    repair::{
        apply, archive,
        canary::Canaries,
        linking::{self, Links},
        pending_archives,
    },
    report::{counters::RunCounters, phases::Phase, progress::Progress, span, sync_log::Permit},
    run::campus::Campus,
};

/// What a run works with.
pub(crate) struct Run {
    pub(crate) campus: Campus,
    pub(crate) core: Arc<Core>,
    /// Holds the campus's lock and the staged list, and draws numbers.
    pub(crate) session: Arc<Session>,
    pub(crate) writer: SyncWriter,
    pub(crate) now: DateTime<Utc>,
    /// The row in `sync_logs`; a dry run has none.
    pub(crate) log: Option<Uuid>,
    pub(crate) permit: Option<Permit>,
    pub(crate) links: Links,
    pub(crate) tally: RunCounters,
    pub(crate) progress: Progress,
    /// Held while something is written, until it is known what became of it.
    pub(crate) busy: Arc<Mutex<()>>,
}

impl Run {
    /// How far writes may go that archive nobody and bring nobody back.
    pub(crate) fn write_scope(&self) -> WriteScope {
        WriteScope {
            run: self.log.unwrap_or_default(),
            campus: self.campus.id,
            config_version: self.campus.config.synced_version,
            archives: None,
        }
    }
}

/// The story.
pub(crate) async fn reconcile(run: &mut Run) -> Result<(), RunError> {
    run.progress.step("reading the list", None);
    let list = read::read(run).await?;
    let is_filterable = is_filterable(run, &list).await;

    run.progress.step("comparing", None);
    let comparing = Instant::now();
    let question = Question {
        campus: run.campus.id,
        config_version: run.campus.config.synced_version,
        today: run.campus.config.locale(run.now).today,
        is_filterable,
        is_complete: list.telling.is_complete(),
    };
    let compared = diff::find(run.session.client(), &question).instrument(span::compare()).await?;
    run.tally.phases.add(Phase::Diff, comparing.elapsed());
    list.listed.check(compared.active)?;
    tracing::info!(
        campus = %run.campus.id, listed = run.tally.fetched, foreign = run.tally.foreign,
        unseen = compared.unseen, doubtful = compared.doubtful, absent = compared.absent,
        "the list is compared"
    );
    let applying = Instant::now();
    let applied = apply(run, &question, compared).await;
    run.tally.phases.add(Phase::Apply, applying.elapsed());
    applied?;
    run.tally.undecided.conclude(compared.active);
    something_decided(&run.tally)
}

/// A run that could decide nothing at all is none that did what it could.
fn something_decided(tally: &RunCounters) -> Result<(), RunError> {
    let is_anything = tally.unchanged() > 0 || tally.touched > 0 || tally.is_drift();
    match tally.undecided.names().next() {
        Some(first) if !is_anything => {
            Err(RunError::NothingDecided(tally.undecided.count(), first.reason))
        }
        _ => Ok(()),
    }
}

/// Whether the list tells all that the sync filter asks for; if not, whom it keeps is asked for by id.
async fn is_filterable(run: &mut Run, list: &List) -> bool {
    let filter = &run.campus.config.filter;
    let mut untold: BTreeSet<&str> = list.telling.untold(filter).into_iter().collect();
    if untold.is_empty() && !filter.is_empty() {
        untold = list.specimens.contradicted(&run.core, filter).await;
        run.tally.asked += list.specimens.number();
    }
    if !untold.is_empty() {
        let fields: Vec<&str> = untold.iter().copied().collect();
        tracing::info!(
            campus = %run.campus.id, fields = fields.join(", "),
            "the list does not tell what the filter asks for: members are asked for by id"
        );
    }
    untold.is_empty()
}

/// Repairs what differs.
async fn apply(run: &mut Run, question: &Question, compared: Compared) -> Result<(), RunError> {
    pending_archives::prepare(run).await?;
    let namesakes = linking::prepare(run, compared).await?;
    let mut canaries = None;
    if compared.to_be_asked_for() > 0 || !namesakes.is_empty() {
        let picked = Canaries::pick(run.session.client()).await?;
        picked.check(&run.core, &run.campus).await?;
        // Before anybody is created: who is new may be somebody whose old id is gone.
        linking::ask(run, &namesakes).await?;
        apply::decide(run, question, compared.to_be_asked_for()).await?;
        if compared.unseen > 0 {
            picked.check(&run.core, &run.campus).await?;
        }
        canaries = Some(picked);
    }
    apply::create(run, compared.unseen).await?;
    archive::archive(run, question, canaries, compared.active).await?;
    if run.log.is_some() {
        diff::forget(run.session.client(), question).await?;
    }
    Ok(())
}
