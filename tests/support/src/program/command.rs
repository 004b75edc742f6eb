//! Commands that run to their end.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use super::binary;

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
    pub fn checked(self) -> anyhow::Result<String> {
        if self.code != Some(0) {
            bail!("`{}` failed: {}{}", self.command, self.stdout, self.stderr.trim_end());
        }
        Ok(self.stdout)
    }
}

/// Runs a program of the workspace with nothing in its environment but `variables`.
pub async fn run_to_end(
    program: &str,
    arguments: &[&str],
    input: &[u8],
    variables: BTreeMap<String, String>,
) -> anyhow::Result<Finished> {
    let name = format!("{program} {}", arguments.join(" "));
    let input = input.to_vec();
    let mut command = Command::new(binary(program)?);
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
    .context("a command was not waited for")?
    .with_context(|| format!("cannot run {name}"))?;
    Ok(Finished {
        command: name,
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
