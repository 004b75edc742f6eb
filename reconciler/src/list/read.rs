//! The list, read to its end and staged.

use std::{sync::Arc, time::Instant};

use core_api::{Course, Part};
use database::DatabaseError;

use crate::{
    error::RunError,
    list::{
        classify::{ClassifiedPage, PageClassifier, PageInProgress},
        copy::StagedPage,
        coverage::FieldCoverage,
        pages::Pages,
        samples::RowSamples,
        staging::StagingTables,
    },
    report::{counters::RunCounters, phases::Phase, sync_log, undecided::Undecided},
    run::context::Run,
    safety::Listed,
};

/// Why a row is undecided.
const NOT_GIVEN: &str = "The core cannot give this row of its list.";
const NO_ID: &str = "Its id cannot be one: nothing could be asked for or stored by it.";

/// What the list was like.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) listed: Listed,
    /// What the rows have: what the filter makes of a field that lists leave out means nothing.
    pub(crate) coverage: FieldCoverage,
    /// Some rows, to be compared with what the core says by id.
    pub(crate) samples: RowSamples,
}

/// Reads every page into the staging table. A list that the core does not give to its end ends the run:
/// half a list would make the other half absent. A row that it cannot give is undecided.
pub(crate) async fn read(run: &Run, counters: &mut RunCounters) -> Result<List, RunError> {
    let staging = StagingTables::create(run.client(), run.campus.id).await?;
    let size = sync_log::page_rows(run.client(), run.campus.id).await?;
    let classifier = PageClassifier::of(&run.campus, run.now);
    let mut list = List::of(&classifier);
    let (mut course, mut here) = (Course::default(), None);
    let mut pages = Pages::new(run.campus.id, Arc::clone(&run.core), classifier, size);
    loop {
        ask(run, &mut pages).await?;
        let gathered = pages.next().await;
        counters.page_rows = Some(pages.size());
        let Some(gathered) = gathered.inspect_err(|_| {
            // No row was the trouble, but the core.
            counters.undecided = Undecided::default();
        })?
        else {
            break;
        };
        // The next pages come while this one is staged.
        ask(run, &mut pages).await?;
        list.listed.total = gathered.total.or(list.listed.total);
        run.progress.expect(gathered.total);
        for row in gathered.unreadable {
            counters.undecided.row(row, NOT_GIVEN);
        }
        for Part { window, page } in gathered.parts {
            counters.phases.add(Phase::Fetch, page.fetched_in);
            counters.phases.add(Phase::Parse, page.parsed_in);
            run.progress.add(page.came);
            let classified = PageInProgress::end(page.rows);
            let (keys, rows) = list.add(page.came, window.skip, classified, counters);
            if course.is_long() && here.is_none() {
                here = Some(members_here(run).await?);
            }
            let known = here.unwrap_or_default().max(list.listed.total.unwrap_or_default());
            course.follow(&keys, known)?;
            if rows.number > 0 {
                let copying = Instant::now();
                staging.stage(rows).await?;
                counters.phases.add(Phase::Copy, copying.elapsed());
            }
        }
    }
    let comparing = Instant::now();
    list.listed.members = staging.finish().await?;
    counters.phases.add(Phase::Diff, comparing.elapsed());
    counters.fetched = list.listed.members;
    counters.foreign = list.listed.foreign;
    Ok(list)
}

/// Asks for as many pages as there should be under way, each with a number drawn before it is asked for.
async fn ask(run: &Run, pages: &mut Pages) -> Result<(), RunError> {
    while pages.wants_more() {
        pages.ask(run.session.draw().await?);
    }
    Ok(())
}

impl List {
    fn of(classifier: &PageClassifier) -> Self {
        let (coverage, samples) = (classifier.coverage(), classifier.samples());
        Self { listed: Listed::default(), coverage, samples }
    }

    /// Counts a page that begins behind `skip` rows. Answers the keys of its rows, and what is to be staged.
    fn add(
        &mut self,
        rows: u64,
        skip: u64,
        page: ClassifiedPage,
        counters: &mut RunCounters,
    ) -> (Vec<u64>, StagedPage) {
        self.listed.rows += rows;
        self.listed.foreign += page.foreign;
        for (sum, number) in counters.unreadable.iter_mut().zip(page.unreadable) {
            *sum += number;
        }
        for row in &page.unusable {
            counters.undecided.row(skip + row, NO_ID);
        }
        self.coverage.merge(&page.coverage);
        self.samples.merge(page.samples);
        (page.keys, page.staging)
    }
}

/// How many members of the core the campus has.
async fn members_here(run: &Run) -> Result<u64, RunError> {
    let query =
        "SELECT count(*) FROM members WHERE campus_id = $1 AND external_member_id IS NOT NULL";
    let row = run
        .client()
        .query_one(query, &[&run.campus.id])
        .await
        .map_err(DatabaseError::during("count the members"))?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}
