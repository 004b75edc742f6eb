//! Asking before something is done that cannot be taken back.

use std::io::{IsTerminal, Write};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::{
    environment::Environment,
    failure::{Declined, Interrupted, UsageError},
    input::blocking,
    output::printable,
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

/// Asks whether to do `action`, naming the database that it would be done in, unless `yes`; an error where
/// the answer is not yes.
pub(crate) async fn ask(
    action: &str,
    environment: &Environment,
    yes: bool,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    let database = environment.database()?.description();
    let question = printable(&format!("{action}, in database {database}?"));
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
    Err(Declined.into())
}

fn is_somebody_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
