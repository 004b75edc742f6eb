//! How a command ends when it does not do what it was asked: what is said, and the exit code.

use std::process::ExitCode;

use runtime::{SettingError, exit_code};
use thiserror::Error;

use crate::output::printable;

/// A command that was used wrongly, beyond what the parser of the command line can see.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct UsageError(String);

impl UsageError {
    /// `problem` says what is wrong and what is expected.
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

/// Somebody was asked, and did not say yes.
#[derive(Debug, Error)]
#[error("nothing was changed")]
pub(crate) struct Declined;

/// Everything there was to say has been said already, as a report on stdout.
#[derive(Debug, Error)]
#[error("the report says what failed")]
pub(crate) struct Reported;

/// A signal came; what was done until then has been said.
#[derive(Debug, Error)]
#[error("interrupted")]
pub(crate) struct Interrupted;

/// Says on stderr why the command failed, and answers its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if !error.is::<Reported>() {
        say(&format!("faithctl: {}", in_words(error)));
    }
    if error.is::<Interrupted>() {
        return ExitCode::from(exit_code::INTERRUPTED);
    }
    let usage = error.is::<SettingError>() || error.is::<UsageError>();
    ExitCode::from(if usage { exit_code::USAGE } else { exit_code::FAILED })
}

/// An error with its causes, each said once: some libraries repeat the cause in their own words.
pub(crate) fn in_words(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

/// Writes for the person at the terminal: never data, so it goes to stderr. What names and answers
/// from outside would do to a terminal is written out.
#[allow(clippy::print_stderr, reason = "the one place that talks to the operator on stderr")]
pub(crate) fn say(line: &str) {
    let lines: Vec<String> = line.split('\n').map(printable).collect();
    eprintln!("{}", lines.join("\n"));
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::in_words;

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow!("refused").context("cannot connect: refused").context("no answer");
        assert_eq!(in_words(&error), "no answer: cannot connect: refused");
    }
}
