//! One run for one campus, as a story: read the list, check it, find what differs, repair it,
//! archive whom the core says is gone.

use std::sync::Arc;

use campus_core::CoreSession;
use chrono::{DateTime, Utc};
use database::DatabaseError;
use store::{Mandate, Session, SyncWriter};
use uuid::Uuid;

use crate::{
    archive,
    campus::Campus,
    canary::Canaries,
    diff::{self, Question},
    error::RunError,
    log::Permit,
    progress::Progress,
    read, repair,
    tally::Tally,
};

/// What a run works with.
pub(crate) struct Run {
    pub(crate) campus: Campus,
    pub(crate) core: Arc<CoreSession>,
    /// Holds the campus's lock and the staged list, and draws numbers.
    pub(crate) session: Arc<Session>,
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

/// The story.
pub(crate) async fn reconcile(run: &mut Run) -> Result<(), RunError> {
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
