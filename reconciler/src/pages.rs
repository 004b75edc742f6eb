//! The core's list, page by page: the next pages are on their way while one is staged, and no more
//! of the list is in memory than those.

use std::{collections::VecDeque, sync::Arc};

use campus_core::CoreSession;
use core_api::{CoreError, Paging, SessionError};
use member::CoreMember;
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{
    error::{AskError, RunError},
    patience::{is_refused_login, patiently},
};

/// Rows asked for at first, when nobody knows yet how heavy they are.
const FIRST_ROWS: u32 = 200;
/// The most that the core gives.
const MOST_ROWS: u32 = 1000;
/// What a page should be: light enough for a slow line, and for several in memory.
const WANTED_BYTES: u64 = 3 * 1024 * 1024;
/// Pages under way where the list says how long it is.
const PAGES_AHEAD: usize = 3;

/// A part of the list.
#[derive(Debug)]
pub(crate) struct Page {
    /// Which, the first being 1.
    pub(crate) number: u64,
    /// Drawn before the read of it began.
    pub(crate) seen_from: i64,
    pub(crate) rows: Vec<CoreMember>,
    /// How many rows there are in all, where the list says so.
    pub(crate) total: Option<u64>,
}

/// The pages that are still to come.
pub(crate) struct Pages {
    campus: Uuid,
    core: Arc<CoreSession>,
    under_way: VecDeque<(Window, JoinHandle<Result<Filled, AskError>>)>,
    next: u64,
    number: u64,
    rows: u32,
    /// Known as soon as a page has told; a bare list tells nothing.
    total: Option<u64>,
    ended: bool,
    before: Option<[u8; 32]>,
}

/// Rows that were asked for together.
#[derive(Debug, Clone, Copy)]
struct Window {
    number: u64,
    seen_from: i64,
    skip: u64,
    rows: u32,
}

/// What came of a window.
struct Filled {
    rows: Vec<CoreMember>,
    bytes: u64,
    total: Option<u64>,
    is_last: bool,
}

impl Pages {
    pub(crate) fn new(campus: Uuid, core: Arc<CoreSession>) -> Self {
        Self {
            campus,
            core,
            under_way: VecDeque::new(),
            next: 0,
            number: 0,
            rows: FIRST_ROWS,
            total: None,
            ended: false,
            before: None,
        }
    }

    /// Whether another page should be asked for now; each needs a number of its own.
    pub(crate) fn wants_more(&self) -> bool {
        let ahead = if self.total.is_some() { PAGES_AHEAD } else { 1 };
        !self.ended
            && self.under_way.len() < ahead
            && (self.under_way.is_empty() || self.total.is_some_and(|total| self.next < total))
    }

    /// Asks for the next page, with a number drawn just now.
    pub(crate) fn ask(&mut self, seen_from: i64) {
        self.number += 1;
        let window = Window { number: self.number, seen_from, skip: self.next, rows: self.rows };
        self.next += u64::from(self.rows);
        let task = tokio::spawn(fill(Arc::clone(&self.core), window));
        self.under_way.push_back((window, task));
    }

    /// The page that was asked for first; none after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Page>, RunError> {
        let Some((window, task)) = self.under_way.pop_front() else { return Ok(None) };
        let Window { number, skip, seen_from, .. } = window;
        let filled = match task.await {
            Ok(Ok(filled)) => filled,
            Ok(Err(why)) => {
                return Err(RunError::Page { campus: self.campus, page: number, skip, why });
            }
            Err(_) => return Err(RunError::Core("reading a page of the list panicked".into())),
        };
        self.ended |= filled.is_last;
        self.total = filled.total.or(self.total);
        let came = filled.rows.len() as u64;
        if filled.total.is_none() {
            // A bare list may give fewer rows than it was asked for.
            self.next = skip + came;
        }
        if let Some(each) = filled.bytes.checked_div(came) {
            let fits = WANTED_BYTES / each.max(1);
            self.rows = u32::try_from(fits).unwrap_or(MOST_ROWS).clamp(1, MOST_ROWS);
        }
        if came > 0 {
            let ids = fingerprint(&filled.rows);
            if self.before.replace(ids) == Some(ids) {
                return Err(RunError::Endless { campus: self.campus, page: number });
            }
        }
        Ok(Some(Page { number, seen_from, rows: filled.rows, total: filled.total }))
    }
}

/// What is under way is of no use to anybody any more.
impl Drop for Pages {
    fn drop(&mut self) {
        for (_, task) in &self.under_way {
            task.abort();
        }
    }
}

/// Reads a window: one page of a bare list; as many as fill it of a list that says how long it is,
/// since the pages after it have been asked for already.
async fn fill(core: Arc<CoreSession>, window: Window) -> Result<Filled, AskError> {
    let mut filled = Filled { rows: Vec::new(), bytes: 0, total: None, is_last: false };
    let mut rows = window.rows;
    loop {
        let came = u32::try_from(filled.rows.len()).unwrap_or(u32::MAX);
        let (skip, wanted) = (window.skip + u64::from(came), rows.min(window.rows - came));
        let is_final = |error: &CoreError| {
            is_refused_login(error) || matches!(error, CoreError::TooLarge { .. })
        };
        let mut page = match patiently(|| core.page(skip, wanted), is_final).await {
            Ok(page) => page,
            // Heavier than a page may be: fewer rows at once.
            Err(SessionError::Core(CoreError::TooLarge { .. })) if wanted > 1 => {
                rows = wanted / 2;
                continue;
            }
            Err(error) => return Err(error),
        };
        filled.bytes += page.bytes as u64;
        filled.is_last = page.is_last();
        filled.rows.append(&mut page.rows);
        match page.paging {
            Paging::Bare => return Ok(filled),
            Paging::Counted { total, .. } => {
                filled.total = total.or(filled.total);
                let is_full = filled.rows.len() >= window.rows as usize;
                // Without a total nobody has asked for what follows.
                if filled.is_last || is_full || filled.total.is_none() {
                    return Ok(filled);
                }
            }
        }
    }
}

fn fingerprint(rows: &[CoreMember]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for row in rows {
        hash.update(row.id().unwrap_or_default());
        hash.update([0]);
    }
    hash.finalize().into()
}
