//! What a check found.

use serde::Serialize;

use crate::output::printable;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// All is well.
    Ok,
    /// Worth a look; events go on.
    Warning,
    /// Events stop, of all campuses or of one.
    Failure,
}

impl Status {
    fn mark(self) -> &'static str {
        match self {
            Self::Ok => "✓",
            Self::Warning => "!",
            Self::Failure => "✗",
        }
    }

    /// The colour of the mark, as a terminal takes it.
    fn colour(self) -> &'static str {
        match self {
            Self::Ok => "\u{1b}[32m",
            Self::Warning => "\u{1b}[33m",
            Self::Failure => "\u{1b}[31m",
        }
    }
}

/// One check.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    /// What was looked at.
    #[serde(rename = "check")]
    pub(super) subject: String,
    pub(super) status: Status,
    /// What was found.
    pub(super) detail: String,
    /// What to do about it, where it is not well.
    pub(super) advice: Option<String>,
}

/// All checks, in the order they were made.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) checks: Vec<Check>,
}

impl Report {
    /// All is well with `subject`.
    pub(super) fn ok(&mut self, subject: &str, detail: impl Into<String>) {
        self.add(subject, Status::Ok, detail.into(), None);
    }

    /// `subject` is worth a look.
    pub(super) fn warn(
        &mut self,
        subject: &str,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(subject, Status::Warning, detail.into(), Some(advice.into()));
    }

    /// `subject` stops events.
    pub(super) fn fail(
        &mut self,
        subject: &str,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(subject, Status::Failure, detail.into(), Some(advice.into()));
    }

    /// Whether anything stops events.
    pub(super) fn has_failure(&self) -> bool {
        self.checks.iter().any(|check| check.status == Status::Failure)
    }

    /// A line for each check, and one for each advice; at the end, a count.
    pub(super) fn text(&self, colourful: bool) -> String {
        let mut lines = Vec::new();
        for check in &self.checks {
            let mark = check.status.mark();
            let mark = if colourful {
                format!("{}{mark}\u{1b}[0m", check.status.colour())
            } else {
                mark.to_owned()
            };
            lines.push(format!(
                "{mark} {}: {}",
                printable(&check.subject),
                printable(&check.detail)
            ));
            lines
                .extend(check.advice.as_ref().map(|advice| format!("    → {}", printable(advice))));
        }
        let count = |status| self.checks.iter().filter(|check| check.status == status).count();
        lines.push(match (count(Status::Failure), count(Status::Warning)) {
            (0, 0) => "\nAll is well.".to_owned(),
            (0, warnings) => format!("\nNothing stops events; worth a look (!): {warnings}."),
            (failures, warnings) => {
                format!("\nStopping events (✗): {failures}; worth a look (!): {warnings}.")
            }
        });
        lines.join("\n")
    }

    fn add(&mut self, subject: &str, status: Status, detail: String, advice: Option<String>) {
        self.checks.push(Check { subject: subject.to_owned(), status, detail, advice });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_marks_advises_and_counts() {
        let mut report = Report::default();
        report.ok("Postgres", "version 15");
        report.warn("campus A", "the secret is old", "rotate it");
        assert!(!report.has_failure());
        report.fail("RabbitMQ", "cannot connect", "start it");
        assert!(report.has_failure());
        let text = report.text(false);
        assert!(text.contains(
            "✓ Postgres: version 15\n! campus A: the secret is old\n    → rotate it\n✗ RabbitMQ"
        ));
        assert!(text.ends_with("Stopping events (✗): 1; worth a look (!): 1."), "{text}");
        assert!(report.text(true).contains("\u{1b}[31m✗\u{1b}[0m RabbitMQ"));
    }
}
