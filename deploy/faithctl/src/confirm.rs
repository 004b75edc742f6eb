//! Asking before something is done that cannot be taken back.

use std::io::{IsTerminal, Write};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::{
    failure::{Interrupted, UsageError},
    input::blocking,
};

/// Whether a command may go on: with `--yes`, or where there is somebody to be asked.
pub(crate) fn require(yes: bool) -> Result<(), UsageError> {
    if yes || is_somebody_there() {
        return Ok(());
    }
    Err(UsageError::new(
        "there is no terminal to ask on: say --yes, or --dry-run to see what would be done",
    ))
}

/// Asks `question` unless `yes`; an error where the answer is not yes.
pub(crate) async fn ask(
    question: &str,
    yes: bool,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let answer = blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let answer = tokio::select! {
        answer = answer => answer.context("cannot read the answer")?,
        () = interrupted.cancelled() => return Err(Interrupted.into()),
    };
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    anyhow::bail!("nothing was changed");
}

fn is_somebody_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
