//! The steps of a run: read the list, check it, find what differs, repair it.

use std::{collections::BTreeSet, time::Instant};

use tracing::Instrument;

use crate::{
    diff::{self, Comparison},
    error::RunError,
    list::read::{self, List},
    repair::{self, writer::Writer},
    report::{counters::RunCounters, phases::Phase, span},
    run::context::Run,
};

/// Makes the campus equal to its core's list, as far as each member's own answer confirms it.
pub(crate) async fn reconcile(
    run: &Run,
    writer: &mut Writer,
    counters: &mut RunCounters,
) -> Result<(), RunError> {
    run.progress.step("reading the list", None);
    let list = read::read(run, counters).await?;
    let is_filterable = is_filterable(run, &list, counters).await;

    run.progress.step("comparing", None);
    let comparing = Instant::now();
    let comparison = Comparison {
        campus: run.campus.id,
        config_version: run.campus.config.synced_version,
        today: run.campus.config.locale(run.now).today,
        is_filterable,
        is_complete: list.coverage.is_complete(),
    };
    let found = diff::find(run.client(), &comparison).instrument(span::compare()).await?;
    counters.phases.add(Phase::Diff, comparing.elapsed());
    list.listed.check(found.active)?;
    tracing::info!(
        campus = %run.campus.id, listed = counters.fetched, foreign = counters.foreign,
        unseen = found.unseen, doubtful = found.doubtful, absent = found.absent,
        "the list is compared"
    );

    let applying = Instant::now();
    let applied = repair::repair(run, &comparison, found, writer, counters).await;
    counters.phases.add(Phase::Apply, applying.elapsed());
    applied?;
    counters.undecided.conclude(found.active);
    something_decided(counters)
}

/// A run that could decide nothing at all has failed.
fn something_decided(counters: &RunCounters) -> Result<(), RunError> {
    let is_anything = counters.unchanged() > 0 || counters.touched > 0 || counters.is_drift();
    match counters.undecided.names().next() {
        Some(first) if !is_anything => {
            Err(RunError::NothingDecided(counters.undecided.count(), first.reason))
        }
        _ => Ok(()),
    }
}

/// Whether the list has all that the sync filter asks for; if not, whom it keeps is asked for by id.
async fn is_filterable(run: &Run, list: &List, counters: &mut RunCounters) -> bool {
    let filter = &run.campus.config.filter;
    let mut missing: BTreeSet<&str> = list.coverage.missing(filter).into_iter().collect();
    if missing.is_empty() && !filter.is_empty() {
        missing = list.samples.contradicted(&run.core, filter).await;
        counters.asked += list.samples.number();
    }
    if !missing.is_empty() {
        let fields: Vec<&str> = missing.iter().copied().collect();
        tracing::info!(
            campus = %run.campus.id, fields = fields.join(", "),
            "the list lacks what the filter asks for: members are asked for by id"
        );
    }
    missing.is_empty()
}
