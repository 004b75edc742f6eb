//! Showing something again and again.

use std::{fmt::Write as _, time::Duration};

use clap::Args;
use tokio::time::{MissedTickBehavior, interval};

use crate::output;

/// Whether it is shown again, and how often.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Watch {
    /// Show it again every 2 s, or as often as is said (5s, 1m), until Ctrl-C; as JSON, an object a line
    #[arg(long = "watch", value_name = "INTERVAL", num_args = 0..=1, default_missing_value = "2s", value_parser = read)]
    pub(crate) every: Option<Duration>,
}

fn read(text: &str) -> Result<Duration, String> {
    runtime::parse_duration(text)
        .filter(|every| *every >= Duration::from_millis(100))
        .ok_or_else(|| "expected how often, 100ms or more, such as 5s".to_owned())
}

/// Shows what `text` answers again and again, until nobody reads it or the command is interrupted. On a terminal in one
/// place; elsewhere one after another.
pub(crate) async fn repeat(
    every: Duration,
    text: impl AsyncFn() -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_first = true;
    loop {
        ticks.tick().await;
        let text = text().await?;
        let is_read = match terminal_size::terminal_size_of(std::io::stdout()) {
            Some((_, height)) => output::write(&in_place(&text, height.0.into(), is_first))?,
            None => output::write(&format!("{text}\n"))?,
        };
        if !is_read {
            return Ok(());
        }
        is_first = false;
    }
}

/// What puts a text where the one before was: the window is emptied once, then each line is written over, so that nothing
/// flickers. What has no room is left out, or it would move the rest.
fn in_place(text: &str, height: usize, is_first: bool) -> String {
    let mut screen = String::from(if is_first { "\x1b[2J\x1b[H" } else { "\x1b[H" });
    for line in text.lines().take(height.saturating_sub(1)) {
        // A string takes whatever is written.
        let _ = writeln!(screen, "{line}\x1b[K");
    }
    screen.push_str("\x1b[J");
    screen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_written_over_the_one_before() {
        assert_eq!(in_place("a\nb\nc", 3, true), "\x1b[2J\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(in_place("a", 3, false), "\x1b[Ha\x1b[K\n\x1b[J");
    }

    #[test]
    fn an_interval_is_no_flood() {
        assert_eq!(read("5s"), Ok(Duration::from_secs(5)));
        assert!(read("0s").is_err() && read("soon").is_err());
    }
}
