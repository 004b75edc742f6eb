//! The list, read to its end and staged.

use std::{sync::Arc, time::Instant};

use core_api::{Course, Part};
use database::DatabaseError;

use crate::{
    error::RunError,
    list::{
        classify::{Judge, Judging, Unreadable},
        coverage::Telling,
        pages::Pages,
        samples::Specimens,
        staging::Snapshot,
    },
    report::{phases::Phase, sync_log, undecided::Undecided},
    run::reconcile::Run,
    safety::Listed,
};

/// Why a row is undecided.
const NOT_GIVEN: &str = "The core cannot give this row of its list.";
const NO_ID: &str = "Its id cannot be one: nothing could be asked for or stored by it.";

/// What the list was like.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) listed: Listed,
    /// What the rows tell: what the filter makes of a field that lists leave out means nothing.
    pub(crate) telling: Telling,
    /// Some rows, to be compared with what the core says by id.
    pub(crate) specimens: Specimens,
}

/// Reads every page into the staging table. A list that the core does not give to its end ends the run:
/// half a list would make the other half absent. A row that it cannot give is undecided.
pub(crate) async fn read(run: &mut Run) -> Result<List, RunError> {
    let session = Arc::clone(&run.session);
    let client = session.client();
    let snapshot = Snapshot::prepare(client, run.campus.id).await?;
    let size = sync_log::page_rows(client, run.campus.id).await?;
    let judge = Judge::of(&run.campus, run.now);
    let mut list = List::of(&judge);
    let (mut course, mut here) = (Course::default(), None);
    let mut pages = Pages::new(run.campus.id, Arc::clone(&run.core), judge, size);
    loop {
        while pages.wants_more() {
            pages.ask(session.draw().await?);
        }
        let gathered = pages.next().await;
        run.tally.page_rows = Some(pages.size());
        let Some(gathered) = gathered.inspect_err(|_| {
            // No row was the trouble, but the core.
            run.tally.undecided = Undecided::default();
        })?
        else {
            break;
        };
        // The next pages come while this one is staged.
        while pages.wants_more() {
            pages.ask(session.draw().await?);
        }
        list.listed.total = gathered.total.or(list.listed.total);
        run.progress.expect(gathered.total);
        for row in gathered.unreadable {
            run.tally.undecided.row(row, NOT_GIVEN);
        }
        for part in gathered.parts {
            let Part { window, page } = part;
            run.tally.phases.add(Phase::Fetch, page.fetched_in);
            run.tally.phases.add(Phase::Parse, page.parsed_in);
            run.progress.add(page.came);
            let judged = Judging::end(page.rows);
            list.listed.rows += page.came;
            list.listed.foreign += judged.foreign;
            count(&mut run.tally.unreadable, judged.unreadable);
            for row in &judged.unusable {
                run.tally.undecided.row(window.skip + row, NO_ID);
            }
            list.telling.merge(&judged.telling);
            list.specimens.merge(judged.specimens);
            if course.is_long() && here.is_none() {
                here = Some(members_here(run).await?);
            }
            let known = here.unwrap_or_default().max(list.listed.total.unwrap_or_default());
            course.follow(&judged.keys, known)?;
            if judged.staging.number > 0 {
                let copying = Instant::now();
                snapshot.stage(judged.staging).await?;
                run.tally.phases.add(Phase::Copy, copying.elapsed());
            }
        }
    }
    let comparing = Instant::now();
    list.listed.members = snapshot.finish().await?;
    run.tally.phases.add(Phase::Diff, comparing.elapsed());
    run.tally.fetched = list.listed.members;
    run.tally.foreign = list.listed.foreign;
    Ok(list)
}

impl List {
    fn of(judge: &Judge) -> Self {
        let (telling, specimens) = (judge.telling(), judge.specimens());
        Self { listed: Listed::default(), telling, specimens }
    }
}

fn count(sums: &mut Unreadable, numbers: Unreadable) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum += number;
    }
}

/// How many members of the core the campus has.
async fn members_here(run: &Run) -> Result<u64, RunError> {
    let query =
        "SELECT count(*) FROM members WHERE campus_id = $1 AND external_member_id IS NOT NULL";
    let row = run
        .session
        .client()
        .query_one(query, &[&run.campus.id])
        .await
        .map_err(DatabaseError::during("count the members"))?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}
