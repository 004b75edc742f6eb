//! What a person sees: one line a step, ticked when it is done.

use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    path::Path,
    time::{Duration, Instant},
};

/// How wide the names of the steps are.
const WIDTH: usize = 42;

/// Tells on stdout how it goes. Nobody reading any more is no reason to stop.
pub(super) struct Report {
    /// On a terminal a step is shown while it is under way, and coloured.
    terminal: bool,
    /// The step under way.
    step: Option<&'static str>,
}

impl Report {
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stdout().is_terminal(), step: None }
    }

    pub(super) fn title(&self, folder: &Path) {
        write(format_args!(
            "\n{}\n  data and logs are in {}\n\n",
            self.bold("FaithTracker member sync"),
            folder.display()
        ));
    }

    /// Says what a person may not expect.
    pub(super) fn note(&self, text: &str) {
        write(format_args!("  {} {text}\n", self.style("33", "!")));
    }

    /// Runs a step, and ticks it off or crosses it out.
    pub(super) async fn step<T>(
        &mut self,
        name: &'static str,
        step: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.step = Some(name);
        if self.terminal {
            write(format_args!("  … {name}"));
        }
        let started = Instant::now();
        let result = step.await;
        self.step = None;
        let (mark, colour) = if result.is_ok() { ("✓", "32") } else { ("✗", "31") };
        self.line(mark, colour, name, started.elapsed());
        result
    }

    fn line(&self, mark: &str, colour: &str, name: &str, took: Duration) {
        let took = if took < Duration::from_secs(1) {
            format!("{} ms", took.as_millis())
        } else {
            format!("{:.1} s", took.as_secs_f64())
        };
        let start = if self.terminal { "\r\x1b[2K" } else { "" };
        let mark = self.style(colour, mark);
        write(format_args!("{start}  {mark} {name:WIDTH$} {took:>8}\n"));
    }

    /// Says what went wrong.
    pub(super) fn failure(&self, error: &anyhow::Error) {
        write(format_args!("\n{} {error:#}\n", self.style("31", "failed:")));
    }

    /// Says that it ends before it was up.
    pub(super) fn interrupted(&mut self) {
        let start = if self.terminal { "\r\x1b[2K" } else { "" };
        let step = self.step.take().unwrap_or("start");
        write(format_args!("{start}  interrupted during: {step}\n"));
    }

    /// Says that everything is being stopped.
    pub(super) fn stopping(&self) {
        // Over the ^C that the terminal has echoed.
        let start = if self.terminal { "\r\x1b[2K" } else { "" };
        write(format_args!("{start}\nstopping everything\n"));
    }

    fn bold(&self, text: &str) -> String {
        self.style("1", text)
    }

    fn style(&self, code: &str, text: &str) -> String {
        if self.terminal { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Shows something of more than one line.
pub(super) fn show(text: &dyn Display) {
    write(format_args!("\n{text}"));
}

fn write(text: std::fmt::Arguments<'_>) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_fmt(text).and_then(|()| stdout.flush()).ok();
}
