//! How far a run is while it lasts: what a person at a terminal sees, and what the program tells of itself.

use std::{fmt::Write, io::IsTerminal, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::report::under_way::RunUnderWay;

/// The part of a terminal with a line for each run under way, on stderr; nothing where that is no
/// terminal, nor in a daemon.
#[derive(Debug)]
pub(crate) struct Terminal(MultiProgress);

impl Terminal {
    /// For a command.
    pub(crate) fn of_command() -> Self {
        if std::io::stderr().is_terminal() { Self(MultiProgress::new()) } else { Self::hidden() }
    }

    /// Shows nothing.
    pub(crate) fn hidden() -> Self {
        Self(MultiProgress::with_draw_target(ProgressDrawTarget::hidden()))
    }

    /// Writes something else to the terminal, with the lines out of its way.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }

    /// The line of a campus's run.
    pub(crate) fn progress(&self, campus: &str, run: RunUnderWay) -> Progress {
        if self.0.is_hidden() {
            return Progress { bar: ProgressBar::hidden(), run };
        }
        let bar = ProgressBar::no_length();
        bar.set_style(style(None));
        bar.set_prefix(campus.chars().filter(|c| !c.is_control()).collect::<String>());
        let bar = self.0.add(bar);
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar, run }
    }
}

/// A run's line.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    run: RunUnderWay,
}

impl Progress {
    /// A step begins; `length` where it is known.
    pub(crate) fn step(&self, what: &'static str, length: Option<u64>) {
        self.run.reaches(what);
        self.bar.set_position(0);
        self.bar.set_message(what);
        self.bar.unset_length();
        self.expect(length);
        self.bar.reset_eta();
    }

    /// The step under way will have so many, as it turns out.
    pub(crate) fn expect(&self, length: Option<u64>) {
        if let Some(length) = length {
            self.bar.set_length(length);
        }
        self.bar.set_style(style(length));
    }

    /// So many more are done.
    pub(crate) fn add(&self, done: u64) {
        self.bar.inc(done);
    }
}

/// With the rate, and the time left where the length is known.
fn style(length: Option<u64>) -> ProgressStyle {
    let template = match length {
        Some(_) => "{prefix}: {msg} {bar:24} {human_pos} of {human_len}, {rate}, {eta} left",
        None => "{prefix}: {msg} {spinner} {human_pos}, {rate}",
    };
    let rate = |state: &ProgressState, text: &mut dyn Write| {
        // Whoever shows it has nobody to tell of an error.
        let _ = write!(text, "{:.0}/s", state.per_sec());
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .with_key("rate", rate)
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
