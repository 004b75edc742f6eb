//! Proxies between the programs and what they depend on.

use std::net::SocketAddr;

use reqwest::Url;

use super::{Role, TestBroker, TestDatabase};
use crate::proxy::Proxy;

/// The proxies of a system that was built with [`proxied`](super::SystemBuilder::proxied); replicas
/// of one program share theirs.
pub struct Proxies {
    /// Between the gateways and RabbitMQ.
    pub gateway_to_rabbitmq: Proxy,
    /// Between the gateways and Postgres.
    pub gateway_to_postgres: Proxy,
    /// Between the workers and RabbitMQ.
    pub worker_to_rabbitmq: Proxy,
    /// Between the workers and Postgres.
    pub worker_to_postgres: Proxy,
    /// Between the reconcilers and Postgres.
    pub reconciler_to_postgres: Proxy,
    /// Between `faithctl` and RabbitMQ.
    pub admin_to_rabbitmq: Proxy,
    /// Between `faithctl` and Postgres.
    pub admin_to_postgres: Proxy,
    /// Between everybody and the simulated core.
    pub to_core: Proxy,
}

impl Proxies {
    pub(super) async fn start(database: &TestDatabase, broker: &TestBroker, core: &str) -> Self {
        let proxy = async |url: &str| Proxy::to(address(url)).await.unwrap();
        Self {
            gateway_to_rabbitmq: proxy(broker.url()).await,
            gateway_to_postgres: proxy(&database.url()).await,
            worker_to_rabbitmq: proxy(broker.url()).await,
            worker_to_postgres: proxy(&database.url()).await,
            reconciler_to_postgres: proxy(&database.url()).await,
            admin_to_rabbitmq: proxy(broker.url()).await,
            admin_to_postgres: proxy(&database.url()).await,
            to_core: proxy(core).await,
        }
    }

    /// The value of a variable of `role`, with its proxy in the place of a server.
    pub(super) fn redirect(&self, role: Role, name: &str, url: &str) -> String {
        // One proxy is in the place of one server, not of a cluster's nodes.
        if url.contains(',') {
            return url.to_owned();
        }
        let proxy = match (role, name) {
            (Role::Gateway, "AMQP_URL") => &self.gateway_to_rabbitmq,
            (Role::Gateway, "DATABASE_URL") => &self.gateway_to_postgres,
            (Role::Worker, "AMQP_URL") => &self.worker_to_rabbitmq,
            (Role::Worker, "DATABASE_URL") => &self.worker_to_postgres,
            (Role::Reconciler, "DATABASE_URL") => &self.reconciler_to_postgres,
            (Role::Admin, "AMQP_URL") => &self.admin_to_rabbitmq,
            (Role::Admin, "DATABASE_URL") => &self.admin_to_postgres,
            _ => return url.to_owned(),
        };
        through(proxy.address(), url)
    }
}

/// The same URL with the port of a proxy.
pub(super) fn through(proxy: SocketAddr, url: &str) -> String {
    let mut url: Url = url.parse().unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    url.to_string().trim_end_matches('/').to_owned()
}

pub(super) fn address(url: &str) -> SocketAddr {
    let url: Url = url.parse().unwrap();
    let host = url.host_str().expect("a server has a host");
    format!("{host}:{}", url.port().expect("a private server has a port")).parse().unwrap()
}
