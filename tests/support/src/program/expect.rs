//! What tests expect of commands.

use super::Finished;
use serde_json::Value;

#[allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect by panicking")]
impl Finished {
    /// What it wrote, if it exited 0.
    #[track_caller]
    pub fn success(self) -> String {
        self.checked().unwrap()
    }

    /// What it wrote, as JSON, if it exited 0.
    #[track_caller]
    pub fn json(self) -> Value {
        let command = self.command.clone();
        let stdout = self.success();
        serde_json::from_str(&stdout)
            .unwrap_or_else(|error| panic!("`{command}` wrote no JSON ({error}): {stdout}"))
    }
}
