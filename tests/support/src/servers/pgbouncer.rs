//! A private PgBouncer before a private PostgreSQL.

use std::{net::TcpStream, path::Path};

use anyhow::{Context, bail};

use super::{DataFolder, folder, keep_or_choose};
use crate::process::{Launch, Process};

/// How sessions of the server are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// A client keeps its session until it leaves.
    Session,
    /// A client has a session for one transaction.
    Transaction,
}

/// A pooler that ends when dropped.
pub struct PgBouncer {
    port: u16,
    _process: Process,
}

impl PgBouncer {
    /// Starts a pooler before the server at `port`, with PgBouncer's own defaults, for `roles` with
    /// `password`.
    pub fn start(
        folder: &DataFolder,
        server: u16,
        mode: PoolMode,
        roles: &[&str],
        password: &str,
    ) -> anyhow::Result<Self> {
        let name = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
        };
        let user = folder::server_user()?;
        let home = folder.private_folder(&format!("pgbouncer-{name}"), user.as_ref())?;
        let port = keep_or_choose(&folder.join(&format!("pgbouncer-{name}.port")), None)?;
        let users: Vec<String> =
            roles.iter().map(|role| format!("\"{role}\" \"{password}\"\n")).collect();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={server}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = scram-sha-256\nauth_file = {}\npool_mode = {name}\nmax_client_conn = 200\n",
            home.join("users").display()
        );
        for (file, text) in [("users", users.concat()), ("pgbouncer.ini", settings)] {
            let path = home.join(file);
            folder::write_private(&path, &text)?;
            if let Some(user) = &user {
                std::os::unix::fs::chown(&path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                    .with_context(|| format!("cannot give {} away", path.display()))?;
            }
        }
        let program = Path::new("/usr/sbin/pgbouncer");
        if !program.is_file() {
            bail!("PgBouncer is not installed: no {}", program.display());
        }
        let log = folder.join(&format!("pgbouncer-{name}.log"));
        let process = Launch::new("PgBouncer", program, &log)
            .clean_environment()
            .user(user.as_ref())
            .folder(&home)
            .argument(home.join("pgbouncer.ini"))
            .spawn()?;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = process.ended() {
                bail!("PgBouncer ended ({status}) while starting: {}", process.log_tail(5));
            }
            std::thread::sleep(super::ASK_EVERY);
        }
        Ok(Self { port, _process: process })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}
