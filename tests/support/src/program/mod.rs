//! The product's own programs, run as they are run anywhere: as processes with an environment.

mod announcement;
mod binaries;
mod command;
mod expect;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use tokio::time::Instant;

pub use self::{
    announcement::Announcement,
    binaries::{binary, build_binaries, workspace},
    command::{Finished, run_to_end},
};
use crate::process::{Launch, Process, log_tail};

/// How often a starting program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// One of the product's programs. It may be terminated, killed, frozen and started again. Ends when
/// dropped.
pub struct Program {
    name: String,
    binary: PathBuf,
    log: PathBuf,
    arguments: Vec<String>,
    clean: bool,
    open_files: Option<u32>,
    variables: Mutex<BTreeMap<String, String>>,
    running: Mutex<Option<Running>>,
}

/// The latest start.
struct Running {
    process: Process,
    /// Where its part of the log begins.
    log_offset: u64,
}

impl Program {
    /// The program `binary`, called `name` in messages, which logs to `name.log` in `folder`. Its
    /// environment is this process's.
    pub fn new(name: impl Into<String>, binary: PathBuf, folder: &Path) -> Self {
        let name = name.into();
        Self {
            log: folder.join(format!("{name}.log")),
            name,
            binary,
            arguments: Vec::new(),
            clean: false,
            open_files: None,
            variables: Mutex::default(),
            running: Mutex::default(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Starts it with nothing in its environment but what is set here.
    #[must_use]
    pub fn clean_environment(mut self) -> Self {
        self.clean = true;
        self
    }

    /// How many files it may have open; as many as this process unless set.
    #[must_use]
    pub fn open_files(mut self, limit: Option<u32>) -> Self {
        self.open_files = limit;
        self
    }

    /// Adds environment variables.
    #[must_use]
    pub fn variables<N: Into<String>, V: Into<String>>(
        self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        for (name, value) in variables {
            self.set_variable(name, value);
        }
        self
    }

    /// Sets an environment variable, from the next start on.
    pub fn set_variable(&self, name: impl Into<String>, value: impl Into<String>) {
        self.variables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.into(), value.into());
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file it logs to, over all its starts.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last `lines` lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        log_tail(&self.log, lines)
    }

    /// Starts it; nothing is waited for.
    pub fn start(&self) -> anyhow::Result<()> {
        let mut running = self.running();
        if running.as_ref().is_some_and(|running| running.process.ended().is_none()) {
            bail!("{} is running already", self.name);
        }
        let mut launch =
            Launch::new(&self.name, &self.binary, &self.log).open_files(self.open_files);
        if self.clean {
            launch = launch.clean_environment();
        }
        let variables = self.variables.lock().unwrap_or_else(PoisonError::into_inner);
        let launch = launch.variables(variables.iter()).arguments(&self.arguments);
        let log_offset = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        *running = Some(Running { process: launch.spawn()?, log_offset });
        Ok(())
    }

    /// Waits for the log line with the addresses it listens on, of its latest start.
    pub async fn announced(&self, within: Duration) -> anyhow::Result<Announcement> {
        let deadline = Instant::now() + within;
        loop {
            let offset = self.running().as_ref().map(|running| running.log_offset);
            if let Some(found) = offset.and_then(|from| Announcement::read(&self.log, from)) {
                return Ok(found);
            }
            self.still_starting(deadline, "it has named no address")?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until it accepts connections.
    pub async fn listening(&self, address: SocketAddr, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        while let Err(error) = tokio::net::TcpStream::connect(address).await {
            self.still_starting(deadline, &error.to_string())?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Waits until `/readyz` of its admin port answers 200.
    pub async fn ready(&self, admin: SocketAddr, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(2))
            .build()
            .context("cannot make an HTTP client")?;
        loop {
            let seen = match client.get(format!("http://{admin}/readyz")).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(error) => format!("{:#}", anyhow::Error::from(error)),
            };
            self.still_starting(deadline, &seen)?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn still_starting(&self, deadline: Instant, seen: &str) -> anyhow::Result<()> {
        if let Some(status) = self.ended() {
            bail!("{} ended ({status}); the end of its log:\n{}", self.name, self.log_tail(10));
        }
        if Instant::now() > deadline {
            bail!("{} is not ready: {seen}; the end of its log:\n{}", self.name, self.log_tail(10));
        }
        Ok(())
    }

    /// How it ended; none while it runs, or was not started.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.running().as_ref().and_then(|running| running.process.ended())
    }

    /// Its process id while it runs.
    pub fn process_id(&self) -> Option<i32> {
        let running = self.running();
        let process = running.as_ref().map(|running| &running.process)?;
        process.ended().is_none().then(|| process.pid())
    }

    /// Waits until it has ended; none when it was not started.
    pub async fn wait(&self) -> Option<ExitStatus> {
        let ending = self.running().as_ref().map(|running| running.process.ending())?;
        Some(ending.await)
    }

    /// Sends SIGTERM and waits for the end of its drain; kills it when that takes too long.
    pub async fn terminate(&self, within: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM);
        let ended = tokio::time::timeout(within, self.wait()).await;
        let Ok(status) = ended else {
            self.kill();
            bail!("{} did not end within {within:?} of SIGTERM", self.name);
        };
        status.with_context(|| format!("{} was not started", self.name))
    }

    /// Kills it, as the loss of the machine would.
    pub fn kill(&self) {
        if let Some(running) = self.running().as_ref() {
            running.process.kill();
        }
    }

    /// Freezes it: connections stay open, nothing answers.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Sends it a signal, if it runs.
    pub fn signal(&self, signal: Signal) {
        if let Some(running) = self.running().as_ref() {
            running.process.signal(signal);
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
