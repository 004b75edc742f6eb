//! Erlang's port mapper, through which nodes find each other.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use anyhow::{Context, bail};

use crate::{process::Process, servers::installation::Installation};

/// A port mapper of our own, as our child. Left to itself, the first Erlang node would start one as
/// a daemon, on a fixed port and all interfaces, that outlives everything.
pub(super) struct Epmd {
    port: u16,
    _process: Process,
}

impl Epmd {
    /// Starts it and waits until it listens.
    pub(super) fn start(
        installation: &Installation,
        log: &Path,
        port: u16,
    ) -> anyhow::Result<Self> {
        let program = installation
            .first_existing(&["/usr/bin/epmd", "/usr/lib/erlang/bin/epmd"])
            .context("Erlang is not installed: no /usr/bin/epmd")?;
        let process = installation
            .launch("epmd", &program, None, log)
            .clean_environment()
            .arguments(["-port", &port.to_string(), "-address", "127.0.0.1"])
            .spawn()?;
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = process.ended() {
                bail!("epmd ended ({status}) while starting: {}", process.log_tail(5));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(Self { port, _process: process })
    }

    /// The port it listens on.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}
