//! Private PostgreSQL and RabbitMQ: the installed programs, or those of another Debian in a folder,
//! run with a data folder and ports of their own, on the loopback interface only.
//!
//! One implementation for everybody: `deploy/up` keeps its folder and finds it again, `deploy/test`
//! shares one pair among all tests, and a fault test starts a pair that it may kill, stop, freeze
//! and start again.

mod address;
mod command;
mod folder;
mod identity;
mod installation;
mod pgbouncer;
mod ports;
mod postgres;
mod rabbitmq;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};

pub use address::ServerAddresses;
pub use command::run_with_private_servers;
pub use folder::{DataFolder, is_reachable_for_servers, random_text, write_private};
pub use identity::Identity;
pub use pgbouncer::{PgBouncer, PoolMode};
pub use ports::keep_or_choose;
pub use postgres::{Postgres, StopMode};
pub use rabbitmq::{Management, RabbitMq};

use crate::process::Process;

/// How long a server may take to answer after its start: a loaded machine is slow, not broken.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// How often a starting server is asked.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// A PostgreSQL and a RabbitMQ of one's own.
pub struct PrivateServers {
    /// The database server.
    pub postgres: Postgres,
    /// The broker: a single node, or the first of a cluster,
    pub rabbitmq: RabbitMq,
    /// and the others.
    pub peers: Vec<RabbitMq>,
    /// The certificate of who signed the servers' certificates, where they speak TLS.
    authority: Option<PathBuf>,
    /// Last, so that it is deleted after the servers have ended.
    folder: DataFolder,
}

impl PrivateServers {
    /// Starts both in a folder that is deleted afterwards.
    pub async fn start_temporary() -> anyhow::Result<Self> {
        Self::start(DataFolder::temporary()?).await
    }

    /// Starts both side by side; the broker takes about six seconds, the database one.
    pub async fn start(folder: DataFolder) -> anyhow::Result<Self> {
        let (postgres, rabbitmq) =
            tokio::try_join!(Postgres::start(&folder), RabbitMq::start_managed(&folder))?;
        Ok(Self { postgres, rabbitmq, peers: Vec::new(), authority: None, folder })
    }

    /// Starts both, speaking TLS beside plain text.
    pub async fn start_encrypted(
        folder: DataFolder,
        of_postgres: Identity,
        of_rabbitmq: Identity,
    ) -> anyhow::Result<Self> {
        let authority = Some(of_postgres.authority.clone());
        let (postgres, rabbitmq) = tokio::try_join!(
            Postgres::start_encrypted(&folder, of_postgres),
            RabbitMq::start_encrypted(&folder, of_rabbitmq)
        )?;
        Ok(Self { postgres, rabbitmq, peers: Vec::new(), authority, folder })
    }

    /// The certificate of who signed the servers' certificates, where they speak TLS.
    pub fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    /// Where they keep their files.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// Starts a database and a broker of several nodes in a folder that is deleted afterwards. Each
    /// further node takes about ten seconds.
    pub async fn start_temporary_cluster(nodes: usize) -> anyhow::Result<Self> {
        let mut servers = Self::start_temporary().await?;
        for number in 2..=nodes {
            let peer = servers.rabbitmq.start_peer(&servers.folder, number).await?;
            servers.peers.push(peer);
        }
        Ok(servers)
    }

    /// Every node of the broker.
    pub fn nodes(&self) -> impl Iterator<Item = &RabbitMq> {
        std::iter::once(&self.rabbitmq).chain(&self.peers)
    }

    /// How to reach them as administrator.
    pub fn addresses(&self) -> ServerAddresses {
        ServerAddresses {
            postgres: self.postgres.url("postgres"),
            amqp: self.rabbitmq.url(),
            management: self.rabbitmq.management_url(),
        }
    }
}

/// Asks until `probe` succeeds; gives up when the server ends or time is up.
async fn until_ready<F>(process: &Process, mut probe: impl FnMut() -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let deadline = tokio::time::Instant::now() + READY_WITHIN;
    loop {
        let outcome = tokio::time::timeout(READY_WITHIN, probe()).await;
        let Err(error) = outcome.context("no answer").flatten() else {
            return Ok(());
        };
        if let Some(status) = process.ended() {
            bail!(
                "{} ended ({status}) while starting; the end of its log:\n{}",
                process.name(),
                process.log_tail(15)
            );
        }
        if tokio::time::Instant::now() > deadline {
            return Err(error.context(format!(
                "{} was not ready within {} s; the end of its log:\n{}",
                process.name(),
                READY_WITHIN.as_secs(),
                process.log_tail(15)
            )));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
