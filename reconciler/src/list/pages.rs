//! The core's list, window by window: the next ones are on their way while one is staged, and no more
//! of the list is in memory than those.

use std::{collections::VecDeque, sync::Arc};

use core_api::{Gathered, PageSize, Window};
use tokio::task::JoinHandle;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    core_retry::Core,
    error::{AskError, RunError},
    list::classify::{PageClassifier, PageInProgress},
    report::span,
};

/// The windows that are still to come, each asked for behind the one before it: one at first, and as soon
/// as that has told how heavy rows are, several at once.
pub(crate) struct Pages {
    campus: Uuid,
    core: Arc<Core>,
    classifier: Arc<PageClassifier>,
    size: PageSize,
    under_way: VecDeque<Asked>,
    /// How many were asked for, and how many rows are before the next one.
    number: u64,
    skip: u64,
    /// Known as soon as a page has told; a bare list tells nothing.
    total: Option<u64>,
    has_begun: bool,
    has_ended: bool,
}

/// A window that is on its way.
struct Asked {
    number: u64,
    window: Window,
    task: JoinHandle<Result<Gathered<PageInProgress>, AskError>>,
}

impl Pages {
    /// For the whole list; `size` is how large pages were in the end the last time.
    pub(crate) fn new(
        campus: Uuid,
        core: Arc<Core>,
        classifier: PageClassifier,
        size: Option<u32>,
    ) -> Self {
        Self {
            campus,
            core,
            classifier: Arc::new(classifier),
            size: PageSize::new(size),
            under_way: VecDeque::new(),
            number: 0,
            skip: 0,
            total: None,
            has_begun: false,
            has_ended: false,
        }
    }

    /// Whether another window should be asked for now; each needs a number of its own.
    pub(crate) fn wants_more(&self) -> bool {
        let is_there_more = self.total.is_none_or(|total| self.skip < total);
        !self.has_ended
            && (self.under_way.is_empty()
                || (self.has_begun && is_there_more && self.under_way.len() < self.size.at_once()))
    }

    /// Asks for the next window, with a number drawn just now.
    pub(crate) fn ask(&mut self, seen_from: i64) {
        let window = Window { skip: self.skip, rows: self.size.rows() };
        self.number += 1;
        self.skip += u64::from(window.rows);
        let (core, classifier) = (Arc::clone(&self.core), Arc::clone(&self.classifier));
        let read = async move { core.gather(window, || classifier.begin(seen_from)).await };
        let task = tokio::spawn(read.instrument(span::page(self.number)));
        self.under_way.push_back(Asked { number: self.number, window, task });
    }

    /// What came of the window that was asked for first; none after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Gathered<PageInProgress>>, RunError> {
        let Some(Asked { number, window, task }) = self.under_way.pop_front() else {
            return Ok(None);
        };
        let gathered = match task.await {
            Ok(Ok(gathered)) => gathered,
            Ok(Err(why)) => {
                self.size.fail();
                let (campus, skip) = (self.campus, window.skip);
                return Err(RunError::Page { campus, page: number, skip, why });
            }
            Err(_) => return Err(RunError::Core("reading a page of the list panicked".into())),
        };
        self.has_begun = true;
        self.total = gathered.total.or(self.total);
        self.size.learn(&gathered);
        tracing::debug!(campus = %self.campus, window = number, next = self.size.rows(), "a page is here");
        let end = gathered.end(window);
        if gathered.is_last {
            self.has_ended = true;
            self.forsake();
        } else if end > window.skip + u64::from(window.rows) {
            // A core that gives more than it was asked for need not give it again.
            self.forsake();
            self.skip = end;
        }
        Ok(Some(gathered))
    }

    /// How many rows should be asked for at once the next time.
    pub(crate) fn size(&self) -> u32 {
        self.size.to_remember()
    }

    fn forsake(&mut self) {
        for asked in self.under_way.drain(..) {
            asked.task.abort();
        }
    }
}

/// What is under way is of no use to anybody any more.
impl Drop for Pages {
    fn drop(&mut self) {
        self.forsake();
    }
}
