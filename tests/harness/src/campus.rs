//! A campus of a test.

use serde_json::Value;

/// A campus that was added, and what signs its webhooks.
#[derive(Debug, Clone, Default)]
pub struct Campus {
    /// Its id here.
    pub id: String,
    /// Its id in the core.
    pub core_church_id: String,
    /// Where its webhooks are posted.
    pub webhook_path: String,
    /// What they are signed with.
    pub secret: String,
}

impl Campus {
    /// Reads what `faithctl campus add --json` wrote.
    pub(super) fn added(core_church_id: &str, answer: &Value) -> Self {
        let text =
            |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        Self {
            id: text("campus_id"),
            core_church_id: core_church_id.to_owned(),
            webhook_path: text("webhook_path"),
            secret: text("webhook_secret"),
        }
    }
}
