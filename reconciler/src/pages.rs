//! The core's list, page by page: the next pages are on their way while one is staged, and no more
//! of the list is in memory than those.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use campus_core::CoreSession;
use core_api::{CoreError, Paging, SessionError};
use tokio::task::JoinHandle;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    error::{AskError, RunError},
    judge::{Judge, Judged},
    patience::{is_refused_login, patiently},
    span,
};

/// Rows asked for at first, when nobody knows yet how heavy they are.
const FIRST_ROWS: u32 = 200;
/// The most that the core gives.
const MOST_ROWS: u32 = 1000;
/// What a page should be: light enough for a slow line, and for several in memory.
const WANTED_BYTES: u64 = 3 * 1024 * 1024;
/// Pages under way at once, as soon as the first one has told how heavy rows are.
const PAGES_AHEAD: usize = 3;

/// A part of the list.
#[derive(Debug)]
pub(crate) struct Page {
    /// Which, the first being 1.
    pub(crate) number: u64,
    /// How many rows came.
    pub(crate) came: u64,
    pub(crate) judged: Judged,
    /// How many rows there are in all, where the list says so.
    pub(crate) total: Option<u64>,
    /// How long it was waited for, and read.
    pub(crate) fetched_in: Duration,
    pub(crate) parsed_in: Duration,
}

/// The pages that are still to come.
///
/// Each is asked for behind the rows that the one before it was asked for. If fewer came, because
/// the core gives no more at once or they were too heavy, those behind it are asked for anew.
pub(crate) struct Pages {
    campus: Uuid,
    core: Arc<CoreSession>,
    judge: Arc<Judge>,
    under_way: VecDeque<(Window, JoinHandle<Result<Read, AskError>>)>,
    next: Window,
    /// Known as soon as a page has told; a bare list tells nothing.
    total: Option<u64>,
    has_begun: bool,
    has_ended: bool,
    before: Option<[u8; 32]>,
}

/// Rows that are asked for together.
#[derive(Debug, Clone, Copy)]
struct Window {
    number: u64,
    /// Drawn before the read of it begins.
    seen_from: i64,
    skip: u64,
    rows: u32,
}

/// What came of a window.
struct Read {
    came: u64,
    judged: Judged,
    bytes: u64,
    is_last: bool,
    total: Option<u64>,
    fetched_in: Duration,
    parsed_in: Duration,
}

impl Pages {
    pub(crate) fn new(campus: Uuid, core: Arc<CoreSession>, judge: Judge) -> Self {
        Self {
            campus,
            core,
            judge: Arc::new(judge),
            under_way: VecDeque::new(),
            next: Window { number: 1, seen_from: 0, skip: 0, rows: FIRST_ROWS },
            total: None,
            has_begun: false,
            has_ended: false,
            before: None,
        }
    }

    /// Whether another page should be asked for now; each needs a number of its own.
    pub(crate) fn wants_more(&self) -> bool {
        let is_there_more = self.total.is_none_or(|total| self.next.skip < total);
        !self.has_ended
            && (self.under_way.is_empty()
                || (self.has_begun && is_there_more && self.under_way.len() < PAGES_AHEAD))
    }

    /// Asks for the next page, with a number drawn just now.
    pub(crate) fn ask(&mut self, seen_from: i64) {
        let window = Window { seen_from, ..self.next };
        let read = read(Arc::clone(&self.core), Arc::clone(&self.judge), window);
        let task = tokio::spawn(read.instrument(span::page(window.number)));
        self.under_way.push_back((window, task));
        self.next.number += 1;
        self.next.skip += u64::from(window.rows);
    }

    /// The page that was asked for first; none after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Page>, RunError> {
        let Some((window, task)) = self.under_way.pop_front() else { return Ok(None) };
        let Window { number, skip, .. } = window;
        let page = match task.await {
            Ok(Ok(page)) => page,
            Ok(Err(why)) => {
                return Err(RunError::Page { campus: self.campus, page: number, skip, why });
            }
            Err(_) => return Err(RunError::Core("reading a page of the list panicked".into())),
        };
        self.has_begun = true;
        self.total = page.total.or(self.total);
        self.adjust(window, &page);
        if page.is_last {
            self.has_ended = true;
            self.forsake();
        }
        let ids = page.judged.fingerprint;
        if page.came > 0 && self.before.replace(ids) == Some(ids) {
            return Err(RunError::Endless { campus: self.campus, page: number });
        }
        Ok(Some(Page {
            number,
            came: page.came,
            judged: page.judged,
            total: page.total,
            fetched_in: page.fetched_in,
            parsed_in: page.parsed_in,
        }))
    }

    /// Goes on behind what came, with pages as large as the core gives them and as they should be.
    fn adjust(&mut self, window: Window, page: &Read) {
        let came = page.came;
        let Some(weight) = page.bytes.checked_div(came) else { return };
        let is_full = came >= u64::from(window.rows);
        if !is_full {
            self.forsake();
            self.next.number = window.number + 1;
            self.next.skip = window.skip + came;
        }
        let given = if is_full { u64::from(window.rows) * 2 } else { came };
        let rows = given.min(WANTED_BYTES / weight.max(1));
        self.next.rows = u32::try_from(rows).unwrap_or(MOST_ROWS).clamp(1, MOST_ROWS);
    }

    fn forsake(&mut self) {
        for (_, task) in self.under_way.drain(..) {
            task.abort();
        }
    }
}

/// What is under way is of no use to anybody any more.
impl Drop for Pages {
    fn drop(&mut self) {
        self.forsake();
    }
}

/// Reads a page, with half the rows and half of that as long as it is heavier than a page may be.
async fn read(core: Arc<CoreSession>, judge: Arc<Judge>, window: Window) -> Result<Read, AskError> {
    let is_final =
        |error: &CoreError| is_refused_login(error) || matches!(error, CoreError::TooLarge { .. });
    let mut rows = window.rows;
    let page = loop {
        let ask = || core.page(window.skip, rows, || judge.begin(window.seen_from));
        match patiently(ask, is_final).await {
            Err(SessionError::Core(CoreError::TooLarge { .. })) if rows > 1 => rows /= 2,
            page => break page?,
        }
    };
    let total = match page.paging {
        Paging::Bare => None,
        Paging::Counted { total, .. } => total,
    };
    let (is_last, bytes) = (page.is_last(), page.bytes as u64);
    let (came, fetched_in, parsed_in) = (page.came, page.fetched_in, page.parsed_in);
    Ok(Read { came, judged: page.rows.end(), bytes, is_last, total, fetched_in, parsed_in })
}
