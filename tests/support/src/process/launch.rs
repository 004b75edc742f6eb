//! How a process is started.

use std::{
    ffi::{OsStr, OsString},
    fs::OpenOptions,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use nix::{sys::signal::Signal, unistd::User};

use super::{Process, guardian};

/// Announces itself to the guardian, then becomes the program.
const ANNOUNCE: &str = r#"echo "watch $$ $0" >&0 && exec "$@" </dev/null"#;

/// A process that is about to be started.
pub struct Launch {
    name: String,
    /// None: its output is ours.
    log: Option<PathBuf>,
    farewell: Signal,
    user: Option<User>,
    open_files: Option<u32>,
    program: PathBuf,
    arguments: Vec<OsString>,
    command: Command,
}

impl Launch {
    /// Prepares `program` under a name for messages; what it writes is appended to `log`.
    ///
    /// Its environment is this process's.
    pub fn new(name: impl Into<String>, program: &Path, log: &Path) -> Self {
        Self { log: Some(log.to_owned()), ..Self::attached(name, program) }
    }

    /// Prepares `program` under a name for messages; it writes where this process writes.
    pub fn attached(name: impl Into<String>, program: &Path) -> Self {
        let mut command = Command::new("/bin/sh");
        // A group of its own: Ctrl-C reaches this program alone, which ends its children in order.
        command.process_group(0);
        Self {
            name: name.into(),
            log: None,
            farewell: Signal::SIGKILL,
            user: None,
            open_files: None,
            program: program.to_owned(),
            arguments: Vec::new(),
            command,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::argument)
    }

    /// Starts from an empty environment instead of this process's, but for `PATH`; drops what was
    /// set before.
    #[must_use]
    pub fn clean_environment(mut self) -> Self {
        self.command.env_clear();
        self.variable("PATH", std::env::var_os("PATH").unwrap_or_default())
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets environment variables.
    #[must_use]
    pub fn variables<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.command.envs(variables);
        self
    }

    /// The working directory; this process's unless set.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it as this user; needs root.
    #[must_use]
    pub fn user(mut self, user: Option<&User>) -> Self {
        self.user = user.cloned();
        self
    }

    /// How many files it may have open; as many as this process unless set.
    #[must_use]
    pub fn open_files(mut self, limit: Option<u32>) -> Self {
        self.open_files = limit;
        self
    }

    /// The signal that ends it when this program was killed: SIGKILL unless it has something to
    /// tidy up that nobody else will.
    #[must_use]
    pub fn farewell(mut self, farewell: Signal) -> Self {
        self.farewell = farewell;
        self
    }

    /// Starts it.
    pub fn spawn(mut self) -> anyhow::Result<Process> {
        if let Some(log) = &self.log {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(log)
                .with_context(|| format!("cannot write the log {}", log.display()))?;
            self.command.stdout(file.try_clone().context("cannot share the log file")?);
            self.command.stderr(file);
        }
        if let Some(user) = &self.user {
            self.command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let limit = self.open_files.map(|limit| format!("ulimit -n {limit} && "));
        let announce = format!("{}{ANNOUNCE}", limit.unwrap_or_default());
        let farewell = self.farewell.as_str().trim_start_matches("SIG");
        let child = self
            .command
            .args(["-c", &announce, farewell])
            .arg(&self.program)
            .args(&self.arguments)
            .stdin(guardian::orders().context("cannot start the guardian process")?)
            .spawn()
            .with_context(|| format!("cannot start {}", self.name))?;
        Ok(Process::watch_over(self.name, self.log, child))
    }
}
