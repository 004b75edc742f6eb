//! How a status is shown: by a sign and a word, never by colour alone.

use crate::words::Language;

/// A status: as in the database, its sign, and what it means.
pub(crate) struct StatusSign {
    pub(crate) text: String,
    pub(crate) sign: &'static str,
    pub(crate) class: &'static str,
    pub(crate) meaning: String,
}

impl StatusSign {
    pub(crate) fn of(text: &str, language: Language) -> Self {
        let (sign, class) = match text {
            "processed" | "success" | "resolved" | "filtered" | "ignored" | "duplicate"
            | "stale" => ("✓", "good"),
            "dead" | "open" | "error" => ("■", "bad"),
            "retrying" | "replaying" | "held" | "partial" | "in_progress" => ("▲", "warn"),
            _ => ("○", "quiet"),
        };
        Self { text: text.to_owned(), sign, class, meaning: language.t(&format!("status-{text}")) }
    }
}
