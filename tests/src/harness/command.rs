//! What tests expect of commands.

use serde_json::Value;

use crate::program::Finished;

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
