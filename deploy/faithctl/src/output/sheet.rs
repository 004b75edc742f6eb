//! One thing for people: a name and a value a line.

use super::{line, printable};

/// The lines of a sheet.
#[derive(Default)]
pub(crate) struct Sheet {
    lines: Vec<(&'static str, String)>,
}

impl Sheet {
    /// Adds a line.
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "ids, words and made-up text read alike")]
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.lines.push((name, printable(&value.to_string())));
        self
    }

    /// Adds a line where there is a value.
    #[must_use]
    pub(crate) fn with_some(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The lines, their values aligned.
    pub(crate) fn text(&self) -> String {
        let widest = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines = self.lines.iter().map(|(name, value)| format!("{name:widest$}  {value}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Writes the lines to stdout.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        line(&self.text())
    }
}
