//! Long-running processes that never outlive the program that started them.
//!
//! [`Process`] is one of them; the [`guardian`] ends them all when this program is gone, in
//! whatever way it went.

mod guardian;
mod launch;
mod tree;
mod usage;

use std::{
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub use guardian::{dismiss_guardian, remove_at_the_end};
pub use launch::Launch;
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};
use tokio::sync::watch;
pub use usage::{forget_peak_memory, peak_memory, processor_time, resident_memory};

/// How long a killed process may take to be gone; the kernel needs milliseconds.
const KILLED_WITHIN: Duration = Duration::from_secs(10);
/// How often a blocking wait looks.
const POLL: Duration = Duration::from_millis(2);

/// A running process. Dropping it kills it, with everything it started, and waits until it is gone.
pub struct Process {
    name: String,
    log: Option<PathBuf>,
    pid: Pid,
    /// Held while the process is signalled and while it is reaped, so that a signal can never
    /// reach a stranger that was given the same pid.
    child: Arc<Mutex<Child>>,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    fn watch_over(name: String, log: Option<PathBuf>, child: Child) -> Self {
        let pid = Pid::from_raw(child.id().cast_signed());
        let child = Arc::new(Mutex::new(child));
        let (sender, ended) = watch::channel(None);
        let reaped = Arc::clone(&child);
        // A thread and not a task: a process may be shared by tests that have a runtime each.
        std::thread::spawn(move || {
            let exited_only = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while waitid(Id::Pid(pid), exited_only) == Err(nix::errno::Errno::EINTR) {}
            let mut child = lock(&reaped);
            guardian::forget(pid);
            let status = child.wait().unwrap_or_default();
            sender.send_replace(Some(status));
        });
        Self { name, log, pid, child, ended }
    }

    /// The name it was launched under, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id, of a process that may have ended meanwhile.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// The file that its stdout and stderr are appended to, if there is one.
    pub fn log(&self) -> Option<&Path> {
        self.log.as_deref()
    }

    /// How it ended, or none while it runs.
    pub fn ended(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// Waits for its end.
    pub async fn wait(&self) -> ExitStatus {
        self.ending().await
    }

    /// Its end, to be waited for without holding the process.
    pub fn ending(&self) -> impl Future<Output = ExitStatus> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            // The sender is dropped only after it has sent.
            ended
                .wait_for(Option::is_some)
                .await
                .ok()
                .and_then(|status| *status)
                .unwrap_or_default()
        }
    }

    /// Waits for its end, no longer than `limit`, where nothing can be awaited.
    pub fn wait_blocking(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
    }

    /// Sends a signal to the process alone; nothing happens when it has ended.
    pub fn signal(&self, signal: Signal) {
        let _no_reaping_meanwhile = lock(&self.child);
        if self.ended().is_none() {
            kill(self.pid, signal).ok();
            await_stop(signal, &[self.pid]);
        }
    }

    /// Sends a signal to the process and to all that descend from it.
    pub fn signal_tree(&self, signal: Signal) {
        let _no_reaping_meanwhile = lock(&self.child);
        if self.ended().is_none() {
            let tree = tree::of(self.pid);
            for pid in &tree {
                kill(*pid, signal).ok();
            }
            await_stop(signal, &tree);
        }
    }

    /// Ends it and all that descend from it as a power cut would, and waits until they are gone.
    pub fn kill(&self) {
        let tree = {
            let _no_reaping_meanwhile = lock(&self.child);
            if self.ended().is_some() { Vec::new() } else { tree::of(self.pid) }
        };
        // Parents first, or they would see a child die and start another.
        for pid in &tree {
            kill(*pid, Signal::SIGKILL).ok();
        }
        let deadline = Instant::now() + KILLED_WITHIN;
        self.wait_blocking(KILLED_WITHIN);
        while tree.iter().any(|pid| tree::is_alive(*pid)) && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
    }

    /// The last `lines` lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.log().map_or_else(String::new, |log| log_tail(log, lines))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last `lines` lines of a log file; empty when it cannot be read.
pub fn log_tail(log: &Path, lines: usize) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread that runs at this moment stops a little later than the signal is sent, and could still answer.
fn await_stop(signal: Signal, pids: &[Pid]) {
    let deadline = Instant::now() + KILLED_WITHIN;
    while signal == Signal::SIGSTOP
        && !pids.iter().all(|pid| tree::is_stopped(*pid))
        && Instant::now() < deadline
    {
        std::thread::sleep(POLL);
    }
}
