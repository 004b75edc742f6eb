//! What a person at a terminal sees of a run while it lasts.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

/// A line on stderr where that is a terminal; nothing elsewhere, nor in a daemon.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Shows the run of a campus.
    pub(crate) fn of_command(campus: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::hidden();
        }
        let bar = ProgressBar::no_length();
        bar.set_prefix(campus.chars().filter(|c| !c.is_control()).collect::<String>());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Shows nothing.
    pub(crate) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// A step begins; `length` where it is known.
    pub(crate) fn step(&self, what: &'static str, length: Option<u64>) {
        let template = match length {
            Some(_) => "{prefix}: {msg} {bar:24} {human_pos}/{human_len} {per_sec}, {eta} left",
            None => "{prefix}: {msg} {spinner} {human_pos} {per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        match length {
            Some(length) => self.0.set_length(length),
            None => self.0.unset_length(),
        }
        self.0.set_message(what);
        self.0.set_position(0);
        self.0.reset_eta();
    }

    /// The step under way will have so many, as it turns out.
    pub(crate) fn expect(&self, length: Option<u64>) {
        if let Some(length) = length {
            self.0.set_length(length);
        }
    }

    /// So many more are done.
    pub(crate) fn add(&self, done: u64) {
        self.0.inc(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
