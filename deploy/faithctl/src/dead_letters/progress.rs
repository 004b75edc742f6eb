//! How far a run is: a bar on a terminal, a line now and then elsewhere.

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

/// The progress of a run, on stderr.
pub(super) struct Progress {
    verb: &'static str,
    bar: ProgressBar,
    total: u64,
    done: u64,
    began: Instant,
    told: Instant,
}

impl Progress {
    /// A run over `total` letters; `verb` says what becomes of them: `replayed`.
    pub(super) fn new(verb: &'static str, total: usize) -> Self {
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        let bar = match ProgressStyle::with_template(TEMPLATE) {
            Ok(style) => bar.with_style(style.with_key("rate", rate)),
            Err(_) => bar,
        };
        let now = Instant::now();
        Self { verb, bar, total, done: 0, began: now, told: now }
    }

    /// So many more came to their end.
    pub(super) fn advance(&mut self, number: usize) {
        self.done += u64::try_from(number).unwrap_or(0);
        self.bar.set_position(self.done);
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
        let rate = u128::from(self.done) * 1000 / milliseconds;
        let left =
            match u64::try_from(u128::from(self.total - self.done.min(self.total)) / rate.max(1)) {
                Ok(seconds) => HumanDuration(Duration::from_secs(seconds)).to_string(),
                Err(_) => "long".to_owned(),
            };
        format!(
            "{} {} of {}, {rate}/s, {left} left",
            self.verb,
            HumanCount(self.done),
            HumanCount(self.total)
        )
    }
}

/// Whole letters a second.
fn rate(state: &ProgressState, writer: &mut dyn Write) {
    // Nothing can be done about a terminal that takes no text.
    write!(writer, "{:.0}/s", state.per_sec()).ok();
}

/// `1 dead letter`, `1,200 dead letters`.
pub(super) fn letters(number: usize) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} dead letter{ending}", HumanCount(u64::try_from(number).unwrap_or(u64::MAX)))
}
