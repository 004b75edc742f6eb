//! Where RabbitMQ is: one address, or the nodes of a cluster.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use lapin::{
    ConnectionBuilder, ConnectionProperties,
    tcp::OwnedTLSConfig,
    uri::{AMQPScheme, AMQPUri},
};
use runtime::{SettingError, Settings, variables};
use tokio::{sync::mpsc, time::timeout};

use crate::error::QueueError;

/// How long one node may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a node may be silent before the next one is tried too.
const NEXT_NODE: Duration = Duration::from_millis(500);

/// A node, and what came of connecting to it.
type Answer = (usize, Result<lapin::Connection, QueueError>);

/// Seconds between heartbeats, where the URL does not say: a dead peer is found in twice that.
const HEARTBEAT_SECONDS: u16 = 10;

/// `AMQP_URL` and `AMQP_CA_FILE`.
#[derive(Clone)]
pub struct AmqpConfig {
    nodes: Vec<AMQPUri>,
    certificates: Option<String>,
}

impl AmqpConfig {
    /// Reads `AMQP_URL` and `AMQP_CA_FILE`.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let wrong = |problem: &str| {
            SettingError::new(
                variables::AMQP_URL,
                problem,
                "amqp://user:pass@host:port/vhost or amqps://…; several, comma-separated, for a cluster",
            )
        };
        let nodes = settings
            .required_or_file(variables::AMQP_URL, variables::AMQP_URL_FILE)?
            .split(',')
            .map(|url| {
                let mut uri: AMQPUri = url.trim().parse().map_err(|_| wrong("cannot be read"))?;
                uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
                Ok(uri)
            })
            .collect::<Result<Vec<_>, SettingError>>()?;
        let certificates = settings
            .optional(variables::AMQP_CA_FILE)
            .map(|file| {
                let unusable = |problem: String| {
                    SettingError::new(
                        variables::AMQP_CA_FILE,
                        problem,
                        "a PEM file of certificates",
                    )
                };
                runtime::root_store(Some(Path::new(file)))
                    .map_err(|error| unusable(format!("cannot be used ({error})")))?;
                std::fs::read_to_string(file)
                    .map_err(|error| unusable(format!("cannot be read ({error})")))
            })
            .transpose()?;
        Ok(Self { nodes, certificates })
    }
}

/// A cluster of RabbitMQ nodes, as one program sees it.
#[derive(Clone)]
pub struct Broker {
    config: Arc<AmqpConfig>,
    name: &'static str,
    /// The node to try first: the one that answered last, since a dead one costs a timeout.
    preferred: Arc<AtomicUsize>,
}

impl Broker {
    /// `name` is the connection's, as RabbitMQ's listings show it.
    pub fn new(config: AmqpConfig, name: &'static str) -> Self {
        Self { config: Arc::new(config), name, preferred: Arc::default() }
    }

    /// The connection's name, as RabbitMQ's listings show it.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Connects to the first node that answers. Each is tried once: the next one when the one before
    /// has failed, or beside it when it has not answered for a moment.
    pub async fn connect(&self) -> Result<lapin::Connection, QueueError> {
        let count = self.config.nodes.len();
        let first = self.preferred.load(Ordering::Relaxed);
        let mut last_error = QueueError::Timeout("no node".to_owned());
        let mut order = (0..count).map(|step| (first + step) % count);
        let (answers, mut answered) = mpsc::channel(count.max(1));
        let mut trying = 0;
        loop {
            if let Some(index) = order.next() {
                tokio::spawn(self.clone().try_node(index, answers.clone()));
                trying += 1;
            } else if trying == 0 {
                return Err(last_error);
            }
            let limit = if order.len() > 0 { NEXT_NODE } else { CONNECT_TIMEOUT * 2 };
            // Nothing within it: the next node is tried too.
            let Ok(Some((index, answer))) = timeout(limit, answered.recv()).await else {
                continue;
            };
            match answer {
                Ok(connection) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(error) => {
                    trying -= 1;
                    last_error = error;
                }
            }
        }
    }

    /// The node that answered last is of no use: the next one is tried first.
    pub(crate) fn avoid(&self) {
        let next = (self.preferred.load(Ordering::Relaxed) + 1) % self.config.nodes.len().max(1);
        self.preferred.store(next, Ordering::Relaxed);
    }

    /// Connects to one node, and leaves again where another has answered first.
    async fn try_node(self, index: usize, answers: mpsc::Sender<Answer>) {
        let Some(node) = self.config.nodes.get(index) else { return };
        let answer = self.connect_to(node).await;
        if let Err(mpsc::error::SendError((_, Ok(connection)))) =
            answers.send((index, answer)).await
        {
            connection.close(200, "another node was faster".into()).await.ok();
        }
    }

    async fn connect_to(&self, node: &AMQPUri) -> Result<lapin::Connection, QueueError> {
        let address = || format!("{}:{}", node.authority.host, node.authority.port);
        let properties =
            ConnectionProperties::default().with_connection_name(self.name.to_owned().into());
        let builder = ConnectionBuilder::new()
            .map_err(QueueError::during("prepare a connection to RabbitMQ"))?
            .with_uri(node.clone())
            .with_properties(properties)
            .with_tls_config(self.tls(node));
        match timeout(CONNECT_TIMEOUT, builder.connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(source)) => {
                Err(QueueError::Connect { address: address(), source: Box::new(source) })
            }
            Err(_) => Err(QueueError::Timeout(address())),
        }
    }

    fn tls(&self, node: &AMQPUri) -> OwnedTLSConfig {
        let cert_chain = match node.scheme {
            AMQPScheme::AMQPS => self.config.certificates.clone(),
            AMQPScheme::AMQP => None,
        };
        OwnedTLSConfig { identity: None, cert_chain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_a_list_of_nodes() {
        let settings = Settings::from_pairs([(
            "AMQP_URL",
            "amqp://u:p@a:5672/v, amqps://u:p@b/v?heartbeat=3",
        )]);
        let config = AmqpConfig::from_settings(&settings).unwrap();
        assert_eq!(config.nodes.len(), 2);
        assert_eq!(config.nodes[0].query.heartbeat, Some(HEARTBEAT_SECONDS));
        assert_eq!(config.nodes[1].query.heartbeat, Some(3));
    }

    #[test]
    fn a_bad_url_is_a_bad_setting() {
        for url in ["", "http://a", "amqp://a,,amqp://b"] {
            let settings = Settings::from_pairs([("AMQP_URL", url)]);
            assert!(AmqpConfig::from_settings(&settings).is_err(), "{url}");
        }
    }
}
