//! A private RabbitMQ.

mod epmd;
mod management;
mod node;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, bail};
pub use management::Management;
use nix::sys::signal::Signal;

use self::{epmd::Epmd, node::Node};
use super::{
    DataFolder, Identity, folder, installation::Installation, keep_or_choose, until_ready,
};
use crate::process::Process;

/// The broker's administrator.
const ADMINISTRATOR: &str = "administrator";

/// A RabbitMQ node of one's own. It may be stopped, killed, frozen and started again on the same
/// port with the same data. Ends when dropped.
pub struct RabbitMq {
    node: Node,
    password: String,
    /// Before `epmd`: the node ends first.
    process: Mutex<Option<Process>>,
    /// Shared by the nodes of a cluster, which find each other through it.
    epmd: Arc<Epmd>,
}

impl RabbitMq {
    /// Starts a broker on the data in `data`, made if there is none yet.
    pub async fn start(data: &DataFolder) -> anyhow::Result<Self> {
        Self::start_with(data, false, None).await
    }

    /// Starts a broker with the management plugin, by which a vhost is made in 25 ms instead of the
    /// half second of `rabbitmqctl`. Its graceful stop takes 6 s instead of 1 s.
    pub async fn start_managed(data: &DataFolder) -> anyhow::Result<Self> {
        Self::start_with(data, true, None).await
    }

    /// Starts a broker with the management plugin that speaks TLS on a port of its own.
    pub async fn start_encrypted(data: &DataFolder, identity: Identity) -> anyhow::Result<Self> {
        Self::start_with(data, true, Some(identity)).await
    }

    async fn start_with(
        data: &DataFolder,
        managed: bool,
        identity: Option<Identity>,
    ) -> anyhow::Result<Self> {
        let epmd = Arc::new(Epmd::start(
            &Installation::chosen()?,
            &data.join("epmd.log"),
            keep_or_choose(&data.join("epmd.port"), None)?,
        )?);
        Self::start_node(data, "rabbitmq", managed, identity, epmd).await
    }

    /// Starts another node on the same data folder and makes it join this one's cluster. Neither may
    /// have queues yet, or this one may have: the other's would be lost.
    pub async fn start_peer(&self, data: &DataFolder, number: usize) -> anyhow::Result<Self> {
        let peer = self.start_stranger(data, number).await?;
        peer.control(&["stop_app"]).await?;
        peer.control(&["join_cluster", &self.node.name]).await?;
        peer.control(&["start_app"]).await?;
        Ok(peer)
    }

    /// Starts another node on the same data folder, which may join this one's cluster.
    pub async fn start_stranger(&self, data: &DataFolder, number: usize) -> anyhow::Result<Self> {
        let files = format!("rabbitmq-{number}");
        Self::start_node(data, &files, false, None, Arc::clone(&self.epmd)).await
    }

    /// Starts a node whose files in `data` begin with `files`.
    async fn start_node(
        data: &DataFolder,
        files: &str,
        managed: bool,
        identity: Option<Identity>,
        epmd: Arc<Epmd>,
    ) -> anyhow::Result<Self> {
        let port = |what: &str| keep_or_choose(&data.join(&format!("{files}.{what}port")), None);
        // Nobody else's secrets in here, but the cookie gives everything a node can do.
        data.private_folder(files, None)?;
        // The database is filed under the node's name, so the name must stay.
        let name = data.kept(&format!("{files}.name"), || {
            format!("faith-{}@localhost", folder::random_text(4))
        })?;
        // What the nodes of a cluster share.
        let password = data.kept_password("rabbitmq.password")?;
        let cookie = data.kept_password("rabbitmq.cookie")?;
        let node = Node {
            installation: Installation::chosen()?,
            name,
            folder: data.join(files),
            log: data.join(&format!("{files}.log")),
            cookie,
            epmd_port: epmd.port(),
            amqp_port: port("")?,
            distribution_port: port("distribution.")?,
            management_port: managed.then(|| port("management.")).transpose()?,
            encrypted: identity
                .map(|identity| anyhow::Ok((port("encrypted.")?, identity)))
                .transpose()?,
        };
        node.write_configuration(ADMINISTRATOR, &password)?;
        let broker = Self { node, password, process: Mutex::new(None), epmd };
        broker.start_again().await?;
        Ok(broker)
    }

    /// The node's name in its cluster.
    pub fn name(&self) -> &str {
        &self.node.name
    }

    /// The URL for the administrator, without a vhost: append `/` and its name, percent-encoded.
    pub fn url(&self) -> String {
        format!("amqp://{ADMINISTRATOR}:{}@127.0.0.1:{}", self.password, self.node.amqp_port)
    }

    /// The URL for the administrator over TLS, like [`RabbitMq::url`]; none where it speaks no TLS.
    pub fn encrypted_url(&self) -> Option<String> {
        let (port, _) = self.node.encrypted.as_ref()?;
        Some(format!("amqps://{ADMINISTRATOR}:{}@localhost:{port}", self.password))
    }

    /// The URL of the management API for the administrator; empty without the plugin.
    pub fn management_url(&self) -> String {
        self.node.management_port.map_or_else(String::new, |port| {
            format!("http://{ADMINISTRATOR}:{}@127.0.0.1:{port}", self.password)
        })
    }

    /// The id of the process that all of the broker descends from, while it runs.
    pub fn process_id(&self) -> Option<i32> {
        self.process().as_ref().map(Process::pid)
    }

    /// The file the broker logs to.
    pub fn log(&self) -> &Path {
        &self.node.log
    }

    /// Starts the broker after it was stopped or killed, and waits until it accepts connections.
    pub async fn start_again(&self) -> anyhow::Result<()> {
        if self.process().as_ref().is_some_and(|process| process.ended().is_none()) {
            bail!("RabbitMQ is running already");
        }
        let process = self.node.launch()?;
        let url = format!("{}/%2f", self.url());
        until_ready(&process, || async {
            // Ask the port first: before it listens, lapin would log a failure every time.
            tokio::net::TcpStream::connect(("127.0.0.1", self.node.amqp_port)).await?;
            let connection =
                lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await?;
            connection.close(200, "ready".into()).await.context("cannot close a connection")
        })
        .await?;
        *self.process() = Some(process);
        Ok(())
    }

    /// Stops the broker in order and waits until it has ended.
    pub async fn stop(&self) {
        let Some(process) = self.process().take() else { return };
        process.signal(Signal::SIGTERM);
        process.wait().await;
    }

    /// Writes down which queues there are. Call it before a kill that follows closely on the first
    /// declaration of a queue.
    ///
    /// RabbitMQ syncs the messages of a quorum queue before it confirms them, but keeps the queue's
    /// entry in its directory of queues in memory for some seconds (`names.dets`, written late).
    /// When it is killed in those seconds, the queue comes back empty and without a leader.
    pub async fn write_down_queues(&self) -> anyhow::Result<()> {
        let sync = "mnesia:sync_log(), [dets:sync(Table) || Table <- dets:all()].";
        self.control(&["eval", sync]).await.map(drop)
    }

    /// Kills the broker, as the loss of the machine would.
    pub fn kill(&self) {
        drop(self.process().take());
    }

    /// Whether its process runs.
    pub fn is_running(&self) -> bool {
        self.process().as_ref().is_some_and(|process| process.ended().is_none())
    }

    /// Freezes the broker: connections stay open, nothing answers.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets a frozen broker go on.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Waits until the broker has ended by itself; returns at once if it does not run.
    pub async fn ended(&self) {
        let ended = self.process().as_ref().map(Process::ending);
        if let Some(ended) = ended {
            ended.await;
        }
    }

    /// What a script needs in its environment to run `rabbitmqctl` against this broker.
    pub fn control_environment(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        self.node.control_environment()
    }

    /// Runs `rabbitmqctl`, half a second each time, and returns what it printed.
    pub async fn control(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.node.control(arguments).await
    }

    /// Runs `rabbitmq-queues` against this broker, and returns what it printed.
    pub async fn queues(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.node.queues(arguments).await
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = self.process().as_ref() {
            process.signal(signal);
        }
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
