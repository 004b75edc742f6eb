//! The list, read to its end and staged.

use std::{sync::Arc, time::Instant};

use campus_core::CoreSession;
use chrono::{DateTime, Utc};
use store::Session;

use crate::{
    campus::Campus,
    error::RunError,
    judge::{Judge, Unreadable},
    pages::{Page, Pages},
    phases::{Phase, Phases},
    plan::Listed,
    progress::Progress,
    snapshot::Snapshot,
    specimens::Specimens,
    telling::Telling,
};

/// What the list was like.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) listed: Listed,
    /// Rows whose id cannot be one.
    pub(crate) unusable: u64,
    /// Values that cannot be read, and leave their columns as they are.
    pub(crate) unreadable: Unreadable,
    /// What the rows tell: what the filter makes of a field that lists leave out means nothing.
    pub(crate) telling: Telling,
    /// Some rows, to be compared with what the core says by id.
    pub(crate) specimens: Specimens,
}

/// Reads every page into the staging table. Any page that cannot be had ends the run: half a list
/// would make the other half absent.
pub(crate) async fn read(
    session: &Session,
    core: &Arc<CoreSession>,
    campus: &Campus,
    now: DateTime<Utc>,
    progress: &Progress,
    phases: &mut Phases,
) -> Result<List, RunError> {
    let client = session.client();
    let snapshot = Snapshot::prepare(client, campus.id).await?;
    let judge = Judge::of(campus, now);
    let mut list = List::of(&judge);
    let mut pages = Pages::new(campus.id, Arc::clone(core), judge);
    loop {
        while pages.wants_more() {
            pages.ask(session.draw().await?);
        }
        let Some(page) = pages.next().await? else { break };
        // The next pages come while this one is staged.
        while pages.wants_more() {
            pages.ask(session.draw().await?);
        }
        phases.add(Phase::Fetch, page.fetched_in);
        phases.add(Phase::Parse, page.parsed_in);
        progress.expect(page.total);
        progress.add(page.came);
        list.count(&page);
        list.telling.merge(&page.judged.telling);
        list.specimens.merge(page.judged.specimens);
        tracing::debug!(campus = %campus.id, page = page.number, rows = page.came, "a page is here");
        if page.judged.staging.number > 0 {
            let copying = Instant::now();
            snapshot.stage(page.judged.staging).await?;
            phases.add(Phase::Copy, copying.elapsed());
        }
    }
    let comparing = Instant::now();
    list.listed.members = snapshot.finish().await?;
    phases.add(Phase::Diff, comparing.elapsed());
    Ok(list)
}

impl List {
    fn of(judge: &Judge) -> Self {
        Self {
            listed: Listed::default(),
            unusable: 0,
            unreadable: Unreadable::default(),
            telling: judge.telling(),
            specimens: judge.specimens(),
        }
    }

    fn count(&mut self, page: &Page) {
        self.listed.rows += page.came;
        self.listed.foreign += page.judged.foreign;
        self.listed.total = page.total.or(self.listed.total);
        self.unusable += page.judged.unusable;
        for (sum, number) in self.unreadable.iter_mut().zip(page.judged.unreadable) {
            *sum += number;
        }
    }
}
