//! A private PostgreSQL.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, bail};
use nix::{sys::signal::Signal, unistd::User};

use super::{
    DataFolder, Identity, folder, installation::Installation, keep_or_choose, until_ready,
};
use crate::process::Process;

/// The superuser's name.
const SUPERUSER: &str = "postgres";

/// How a server is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Sessions are ended, everything is written, as at a planned restart.
    Fast,
    /// As after a crash, but in order: the next start recovers from the log.
    Immediate,
}

/// A PostgreSQL server of one's own. It may be stopped, killed, frozen and started again on the
/// same port with the same data. Ends when dropped.
pub struct Postgres {
    installation: Installation,
    binaries: PathBuf,
    data: PathBuf,
    log: PathBuf,
    user: Option<User>,
    password: String,
    port: u16,
    identity: Option<Identity>,
    process: Mutex<Option<Process>>,
}

impl Postgres {
    /// Starts a server on the data in `folder`, made if there is none yet.
    pub async fn start(folder: &DataFolder) -> anyhow::Result<Self> {
        Self::start_with(folder, None).await
    }

    /// Starts a server that speaks TLS with those who ask for it.
    pub async fn start_encrypted(folder: &DataFolder, identity: Identity) -> anyhow::Result<Self> {
        Self::start_with(folder, Some(identity)).await
    }

    async fn start_with(folder: &DataFolder, identity: Option<Identity>) -> anyhow::Result<Self> {
        let installation = Installation::chosen()?;
        let binaries = installation
            .newest_folder("/usr/lib/postgresql", "bin", "postgres")
            .context("PostgreSQL is not installed: no /usr/lib/postgresql/*/bin/postgres")?;
        let user = folder::server_user()?;
        let home = folder.private_folder("postgres", user.as_ref())?;
        let server = Self {
            data: home.join("data"),
            log: folder.join("postgres.log"),
            password: folder.kept_password("postgres.password")?,
            port: keep_or_choose(&folder.join("postgres.port"), None)?,
            installation,
            binaries,
            identity,
            user,
            process: Mutex::new(None),
        };
        if !server.data.exists() {
            server.initialize(&home)?;
        }
        if let Some(identity) = &server.identity {
            server.own(&identity.key)?;
            server.own(&identity.certificate)?;
        }
        server.start_again().await?;
        Ok(server)
    }

    /// Gives a file to the user that the server runs as.
    fn own(&self, file: &Path) -> anyhow::Result<()> {
        let Some(user) = &self.user else { return Ok(()) };
        std::os::unix::fs::chown(file, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .with_context(|| format!("cannot give {} to postgres", file.display()))
    }

    /// A URL of `database` for the superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_as(SUPERUSER, &self.password, database)
    }

    /// A URL of `database` for any role.
    pub fn url_as(&self, role: &str, password: &str, database: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// The id of the server's first process, from which the others descend, while it runs.
    pub fn process_id(&self) -> Option<i32> {
        self.process().as_ref().map(Process::pid)
    }

    /// The file the server logs to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Starts the server after it was stopped or killed, and waits until it answers.
    #[allow(
        clippy::significant_drop_tightening,
        reason = "the process must stay ours until it is ready"
    )]
    pub async fn start_again(&self) -> anyhow::Result<()> {
        if self.process().as_ref().is_some_and(|process| process.ended().is_none()) {
            bail!("PostgreSQL is running already");
        }
        let process = self.launch()?;
        let url = self.url("postgres");
        until_ready(&process, || async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
            let connection = tokio::spawn(connection);
            let answer = client.simple_query("SELECT 1").await;
            connection.abort();
            answer.map(drop).map_err(anyhow::Error::from)
        })
        .await?;
        *self.process() = Some(process);
        Ok(())
    }

    /// Stops the server and waits until it has ended.
    pub async fn stop(&self, mode: StopMode) {
        let Some(process) = self.process().take() else { return };
        process.signal(match mode {
            StopMode::Fast => Signal::SIGINT,
            StopMode::Immediate => Signal::SIGQUIT,
        });
        process.wait().await;
    }

    /// Kills the server and all its sessions, as the loss of the machine would.
    pub fn kill(&self) {
        drop(self.process().take());
    }

    /// Freezes the server with all its sessions: connections stay open, nothing answers.
    pub fn freeze(&self) {
        self.signal_tree(Signal::SIGSTOP);
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal_tree(Signal::SIGCONT);
    }

    /// Waits until the server has ended by itself; returns at once if it does not run.
    pub async fn ended(&self) {
        let ended = self.process().as_ref().map(Process::ending);
        if let Some(ended) = ended {
            ended.await;
        }
    }

    fn signal_tree(&self, signal: Signal) {
        if let Some(process) = self.process().as_ref() {
            process.signal_tree(signal);
        }
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn launch(&self) -> anyhow::Result<Process> {
        // fsync stays on, for tests too: what an event goes through is only durable with it.
        let port = self.port.to_string();
        let settings = [
            ("port", port.as_str()),
            ("listen_addresses", "127.0.0.1"),
            // A socket's path may have 107 bytes, less than a deep checkout needs.
            ("unix_socket_directories", ""),
            ("max_connections", "300"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("logging_collector", "off"),
        ];
        let tls = self.identity.iter().flat_map(|identity| {
            [
                "ssl=on".to_owned(),
                format!("ssl_cert_file={}", identity.certificate.display()),
                format!("ssl_key_file={}", identity.key.display()),
            ]
        });
        let program = self.binaries.join("postgres");
        self.installation
            .launch("PostgreSQL", &program, self.user.as_ref(), &self.log)
            .clean_environment()
            .variable("LANG", "C.UTF-8")
            .folder(&self.data)
            // An immediate stop, which gives shared memory back; killed, it would leak.
            .farewell(Signal::SIGQUIT)
            .argument("-D")
            .argument(&self.data)
            .arguments(
                settings
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .chain(tls)
                    .flat_map(|setting| ["-c".to_owned(), setting]),
            )
            .spawn()
    }

    /// Makes the data folder, whole or not at all: `initdb` works elsewhere, and may be killed.
    fn initialize(&self, home: &Path) -> anyhow::Result<()> {
        let unfinished = home.join("unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).context("cannot remove half a data folder")?;
        }
        let password_file = home.join("superuser");
        folder::write_private(&password_file, &self.password)?;
        let initdb = self.binaries.join("initdb");
        let mut command = self.installation.command(&initdb, self.user.as_ref());
        command
            .env_clear()
            .env("LANG", "C.UTF-8")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(home)
            .args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--pwfile"])
            .arg(&password_file)
            .args(["--encoding", "UTF8", "--locale", "C", "--pgdata"])
            .arg(&unfinished)
            .stdin(Stdio::null());
        self.own(&password_file)?;
        let output = command.output().context("cannot run initdb")?;
        fs::remove_file(&password_file).ok();
        if !output.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        fs::rename(&unfinished, &self.data).context("cannot name the data folder")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(process) = self.process().take() {
            // In order, for the sake of shared memory; a frozen one must hear it. `Process` kills
            // what is left.
            process.signal(Signal::SIGQUIT);
            process.signal_tree(Signal::SIGCONT);
            process.wait_blocking(std::time::Duration::from_secs(3));
        }
    }
}
