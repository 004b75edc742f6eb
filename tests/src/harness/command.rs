//! Commands that run to their end.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::program::binary;

/// What a command did.
#[derive(Debug)]
pub struct Finished {
    /// The command line, for messages.
    pub command: String,
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Finished {
    /// What it wrote, if it exited 0.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{}: {}{}", self.command, self.stdout, self.stderr);
        self.stdout
    }

    /// What it wrote, as JSON, if it exited 0.
    #[track_caller]
    pub fn json(self) -> Value {
        let command = self.command.clone();
        let stdout = self.success();
        serde_json::from_str(&stdout)
            .unwrap_or_else(|error| panic!("{command} wrote no JSON ({error}): {stdout}"))
    }
}

/// Runs a program of the workspace with nothing in its environment but `variables`.
pub(super) async fn run(
    program: &str,
    arguments: &[&str],
    input: &[u8],
    variables: BTreeMap<String, String>,
) -> Finished {
    let name = format!("{program} {}", arguments.join(" "));
    let input = input.to_vec();
    let mut command = Command::new(binary(program).unwrap());
    command
        .args(arguments)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn()?;
        // A command that does not read its input closes it: no harm.
        child.stdin.take().map(|mut stdin| stdin.write_all(&input));
        child.wait_with_output()
    })
    .await
    .unwrap()
    .unwrap();
    Finished {
        command: name,
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
