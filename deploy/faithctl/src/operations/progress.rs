//! How far an operation is: a bar on a terminal, a line now and then elsewhere.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use indicatif::{
    HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use crate::failure::say;

/// Between lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

const TEMPLATE: &str = "{bar:30} {human_pos}/{human_len}  {rate}  {eta} left";

/// The progress of an operation, on stderr.
pub(super) struct Progress {
    verb: &'static str,
    bar: ProgressBar,
    total: Option<u64>,
    /// What was done already when the watching began.
    first: Option<u64>,
    done: u64,
    began: Instant,
    told: Instant,
}

impl Progress {
    /// An operation over `total`, where that is known; `verb` says what becomes of them: `replayed`.
    pub(super) fn new(verb: &'static str, total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let bar = match ProgressStyle::with_template(TEMPLATE) {
            Ok(style) => bar.with_style(style.with_key("rate", rate)),
            Err(_) => bar,
        };
        let now = Instant::now();
        Self { verb, bar, total, first: None, done: 0, began: now, told: now }
    }

    /// So many came to their end by now.
    pub(super) fn set(&mut self, done: u64, total: Option<u64>) {
        if total != self.total
            && let Some(total) = total
        {
            self.bar.set_length(total);
        }
        self.total = total.or(self.total);
        self.first.get_or_insert(done);
        self.done = done;
        self.bar.set_position(done);
        if self.bar.is_hidden() && self.told.elapsed() >= LINE_EVERY {
            self.told = Instant::now();
            say(&self.line());
        }
    }

    /// Says something without disturbing the bar.
    pub(super) fn note(&self, text: &str) {
        self.bar.suspend(|| say(text));
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self) -> String {
        let milliseconds = self.began.elapsed().as_millis().max(1);
        let done = self.done.saturating_sub(self.first.unwrap_or(0));
        let rate = u128::from(done) * 1000 / milliseconds;
        let words = format!("{} {}", self.verb, HumanCount(self.done));
        let Some(total) = self.total else { return words };
        let left = match u64::try_from(u128::from(total - self.done.min(total)) / rate.max(1)) {
            Ok(seconds) => HumanDuration(Duration::from_secs(seconds)).to_string(),
            Err(_) => "long".to_owned(),
        };
        format!("{words} of {}, {rate}/s, {left} left", HumanCount(total))
    }
}

/// Whole ones a second.
fn rate(state: &ProgressState, writer: &mut dyn Write) {
    // Nothing can be done about a terminal that takes no text.
    write!(writer, "{:.0}/s", state.per_sec()).ok();
}

/// `1 dead letter`, `1,200 dead letters`.
pub(crate) fn counted(number: u64, one: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {one}{ending}", HumanCount(number))
}
