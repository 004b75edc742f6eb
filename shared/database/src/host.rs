//! A server that may be asked for sessions.

use std::sync::{Arc, atomic::AtomicBool};

use tokio_postgres::config::Host as Name;

/// A server that may be asked for sessions.
#[derive(Clone)]
pub(crate) struct Host {
    /// Names this host alone.
    pub(crate) postgres: tokio_postgres::Config,
    /// Whether its sessions were seen to be sessions. That is asked until it is known.
    pub(crate) is_held: Arc<AtomicBool>,
}

impl Host {
    /// Where it is, for people.
    pub(crate) fn address(&self) -> String {
        let port = self.postgres.get_ports().first().unwrap_or(&5432);
        match (self.postgres.get_hosts().first(), self.postgres.get_hostaddrs().first()) {
            (Some(Name::Tcp(name)), _) => format!("{name}:{port}"),
            (Some(Name::Unix(folder)), _) => format!("{} ({port})", folder.display()),
            (None, Some(address)) => format!("{address}:{port}"),
            (None, None) => String::new(),
        }
    }
}
