//! A part of the list, in one piece if the core gives it so, else in halves down to single rows.

use std::time::Duration;

use crate::{BadAnswer, CoreError, Operation, Page, Paging, Rows, Unreachable};

use super::{Next, OfCore, Silence};

/// Rows that are asked for together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many are before it.
    pub skip: u64,
    /// How many it has.
    pub rows: u32,
}

/// What came of a window.
#[derive(Debug)]
pub struct Gathered<R> {
    /// All that the core gave of it.
    pub parts: Vec<Part<R>>,
    /// Rows that it did not give though they were asked for alone, by how many are before each.
    pub unreadable: Vec<u64>,
    /// Whether something had to be asked for in halves.
    pub is_halved: bool,
    /// Whether the list ends here.
    pub is_last: bool,
    /// How many rows there are in all, where the list says so.
    pub total: Option<u64>,
}

/// A page that was given.
#[derive(Debug)]
pub struct Part<R> {
    /// What was asked for.
    pub window: Window,
    /// What came; never nothing.
    pub page: Page<R>,
}

/// Asks for a window, by what `ask` does with its `skip` and `rows`. Whatever the core cannot give at once
/// is asked for in halves, whatever comes short is asked for again from there on, and a single row that
/// fails once more after all others is unreadable. An error ends it that no other question could help, or
/// when the core's `silence` has lasted too long.
pub async fn gather<R, E, F>(
    window: Window,
    silence: &Silence,
    ask: impl Fn(Window) -> F,
) -> Result<Gathered<R>, E>
where
    R: Rows,
    E: OfCore,
    F: Future<Output = Result<Page<R>, E>>,
{
    let mut gathered = Gathered {
        parts: Vec::new(),
        unreadable: Vec::new(),
        is_halved: false,
        is_last: false,
        total: None,
    };
    // The next one to ask for is the last.
    let mut waiting = vec![window];
    let mut suspects = Vec::new();
    let mut is_second_time = false;
    let mut rescues = 0;
    loop {
        let Some(window) = waiting.pop() else {
            if suspects.is_empty() || is_second_time {
                return Ok(gathered);
            }
            is_second_time = true;
            waiting.extend(suspects.drain(..).rev());
            continue;
        };
        silence.asking();
        let error = match ask(window).await {
            Ok(page) => {
                silence.answered();
                if gathered.take(window, page, &mut waiting) {
                    waiting.clear();
                }
                continue;
            }
            Err(error) => error,
        };
        let Some(trouble) = error.core().map(Trouble::of) else { return Err(error) };
        let next = match trouble {
            Trouble::Final => return Err(error),
            Trouble::Core => {
                waiting.push(window);
                Next::Same
            }
            Trouble::Page if window.rows > 1 => {
                gathered.is_halved = true;
                waiting.extend(halves(window));
                Next::Other
            }
            Trouble::Page if is_second_time => {
                gathered.unreadable.push(window.skip);
                Next::Other
            }
            // Whether it is this row, or the core, the next rows will tell.
            Trouble::Page => {
                suspects.push(window);
                Next::Same
            }
        };
        if let Some(pause) = error.core().and_then(|error| silence.failed(error, next)) {
            tokio::time::sleep(pause).await;
        } else if error.core().is_some_and(is_hanging)
            && rescues < MOST_RESCUES
            && is_well(window, &ask).await
        {
            // It hangs on these rows, as long as it is borne with, and gives others.
            rescues += 1;
            silence.answered();
        } else {
            return Err(error);
        }
    }
}

/// How often a core that hangs is asked whether it gives anything.
const MOST_RESCUES: u32 = 32;
/// How long it may take for that.
const RESCUED_WITHIN: Duration = Duration::from_secs(2);

fn is_hanging(error: &CoreError) -> bool {
    matches!(error, CoreError::Unreachable { kind: Unreachable::Timeout, .. })
}

/// Whether the core gives a row from elsewhere in its list.
async fn is_well<R, E, F>(window: Window, ask: &impl Fn(Window) -> F) -> bool
where
    F: Future<Output = Result<Page<R>, E>>,
{
    let any = async {
        for skip in [window.skip + u64::from(window.rows), window.skip.saturating_sub(1), 0] {
            if ask(Window { skip, rows: 1 }).await.is_ok_and(|page| page.came > 0) {
                return true;
            }
        }
        false
    };
    tokio::time::timeout(RESCUED_WITHIN, any).await.unwrap_or(false)
}

/// The second half, then the first.
fn halves(window: Window) -> [Window; 2] {
    let first = window.rows / 2;
    [
        Window { skip: window.skip + u64::from(first), rows: window.rows - first },
        Window { rows: first, ..window },
    ]
}

impl<R> Gathered<R> {
    /// How many rows are before those that are still to come: behind the window, or behind what came where
    /// the core gave more than it was asked for.
    pub fn end(&self, window: Window) -> u64 {
        let reach = self.parts.iter().map(|part| part.window.skip + part.page.came).max();
        reach.unwrap_or_default().max(window.skip + u64::from(window.rows))
    }
}

impl<R: Rows> Gathered<R> {
    /// Takes what a window gave, and puts down what it did not; whether the list ends with it.
    fn take(&mut self, window: Window, page: Page<R>, waiting: &mut Vec<Window>) -> bool {
        if let Paging::Counted { total, .. } = page.paging {
            self.total = total.or(self.total);
        }
        let (came, is_last) = (page.came, page.is_last());
        if came > 0 {
            self.parts.push(Part { window, page });
        }
        self.is_last |= is_last;
        if let Some(missing) =
            u32::try_from(came).ok().and_then(|came| window.rows.checked_sub(came))
            && missing > 0
            && !is_last
        {
            waiting.push(Window { skip: window.skip + came, rows: missing });
        }
        is_last
    }
}

/// What a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The rows that were asked for, or how many they were: others may be given.
    Page,
    /// The core, or the way to it: it may pass.
    Core,
    /// The account: it does not pass by itself.
    Final,
}

impl Trouble {
    fn of(error: &CoreError) -> Self {
        match error {
            CoreError::LoginRefused { .. } | CoreError::Forbidden { .. } => Self::Final,
            _ if error.operation() != Operation::ListMembers => Self::Core,
            CoreError::Server { retry_after: None, .. }
            | CoreError::TooLarge { .. }
            | CoreError::Unreachable {
                kind: Unreachable::Timeout | Unreachable::Slow | Unreachable::Interrupted,
                ..
            } => Self::Page,
            CoreError::BadResponse { why, .. } if *why != BadAnswer::Redirect => Self::Page,
            _ => Self::Core,
        }
    }
}

#[cfg(test)]
mod tests;
