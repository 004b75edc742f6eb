//! Running a command that needs servers.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitCode, ExitStatus},
};

use anyhow::Context;
use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::PrivateServers;
use crate::process::{Launch, dismiss_guardian};

/// Runs a command, a program and its arguments, with private servers that it finds through
/// [`ServerAddresses`](super::ServerAddresses); SIGINT and SIGTERM are passed on to it. Answers
/// with its exit code, as a shell would, when nothing of the servers is left.
pub async fn run_with_private_servers(command: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let status = run(command).await;
    dismiss_guardian();
    let status = status?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

async fn run(command: Vec<OsString>) -> anyhow::Result<ExitStatus> {
    let (program, arguments) = command.split_first().context("no command to run")?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let servers = PrivateServers::start_temporary().await?;
    let addresses = servers.addresses();
    let process = Launch::attached(program.to_string_lossy(), Path::new(program))
        .arguments(arguments)
        .variables(addresses.variables())
        // It is given the chance to end what it has started itself.
        .farewell(Signal::SIGTERM)
        .spawn()?;
    loop {
        tokio::select! {
            status = process.wait() => return Ok(status),
            _ = interrupt.recv() => process.signal(Signal::SIGINT),
            _ = terminate.recv() => process.signal(Signal::SIGTERM),
        }
    }
}
