//! Reaching one of the hosts: the first that answers and is what is wanted. One that says nothing
//! keeps nobody from the next.

use std::{sync::atomic::Ordering, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{sleep, timeout};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    attempt::{Attempt, Why},
    backend::Backend,
    config::DatabaseConfig,
    connect::Connected,
    error::DatabaseError,
    host::Host,
    session::settings,
    statement_error::Error,
    target::Target,
};

/// When the next host is tried beside one that has not answered yet.
const NEXT_HOST_AFTER: Duration = Duration::from_secs(1);
/// How long it may take to find out whether sessions hold; after that nobody knows.
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// How often two sessions are asked who they are.
const PROBES: usize = 3;

impl DatabaseConfig {
    /// Opens a session. It ends when the client is dropped or the connection is lost.
    pub async fn connect(&self) -> Result<Connected, DatabaseError> {
        let first = self.first_that_is(self.target).await;
        match first {
            Err(_) if self.target == Target::PreferStandby => self.first_that_is(Target::Any).await,
            first => first,
        }
        .map_err(DatabaseError::Connect)
    }

    async fn first_that_is(&self, target: Target) -> Result<Connected, Vec<Attempt>> {
        let order = self.order();
        let mut hosts = order.iter().map(|host| self.attempt(host, target));
        let mut trying = FuturesUnordered::new();
        let mut failed = Vec::new();
        trying.extend(hosts.next());
        while !trying.is_empty() {
            tokio::select! {
                Some(outcome) = trying.next() => match outcome {
                    Ok(connected) => return Ok(connected),
                    Err(attempt) => {
                        failed.push(attempt);
                        trying.extend(hosts.next());
                    }
                },
                () = sleep(NEXT_HOST_AFTER), if hosts.len() > 0 => trying.extend(hosts.next()),
            }
        }
        Err(failed)
    }

    /// As they are written, or shuffled where `load_balance_hosts=random` asks for it.
    fn order(&self) -> Vec<&Host> {
        let mut order: Vec<&Host> = self.hosts.iter().collect();
        if self.is_shuffled {
            rand::seq::SliceRandom::shuffle(order.as_mut_slice(), &mut rand::rng());
        }
        order
    }

    async fn attempt(&self, host: &Host, target: Target) -> Result<Connected, Attempt> {
        timeout(self.host_limit, self.session(host, target))
            .await
            .unwrap_or(Err(Why::Silent))
            .map_err(|why| Attempt { address: host.address(), why })
    }

    async fn session(&self, host: &Host, target: Target) -> Result<Connected, Why> {
        let connected = self.open(host).await?;
        let backend = Backend::of(&connected.client).await?;
        if !target.accepts(&backend) {
            return Err(Why::Unwanted(target));
        }
        if !host.is_held.load(Ordering::Relaxed) {
            // Before anything is set, which others would be given with the session.
            match timeout(PROBE_LIMIT, self.is_held(host, &connected, &backend)).await {
                Ok(Ok(true)) => host.is_held.store(true, Ordering::Relaxed),
                Ok(Ok(false)) => return Err(Why::Pooled),
                // No second session to be had now: asked again with the next.
                Ok(Err(_)) | Err(_) => {}
            }
        }
        let settings = settings(host.postgres.get_options());
        connected.client.batch_execute(&settings).await.map_err(Error::from)?;
        if let Some(limit) = self.statement_limit {
            let shorter = format!("SET statement_timeout = {}", limit.as_millis());
            connected.client.batch_execute(&shorter).await.map_err(Error::from)?;
        }
        Ok(connected)
    }

    /// Whether a session keeps its process of the server. A pooler in transaction mode has two of ours
    /// share one, or one of ours change it; in session mode, and without a pooler, neither can be.
    async fn is_held(
        &self,
        host: &Host,
        first: &Connected,
        before: &Backend,
    ) -> Result<bool, Error> {
        let second = self.open(host).await?;
        for _ in 0..PROBES {
            let other = Backend::of(&second.client).await?;
            let after = Backend::of(&first.client).await?;
            if other.is(before) || other.is(&after) || !after.is(before) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn open(&self, host: &Host) -> Result<Connected, Error> {
        let tls = MakeRustlsConnect::new((*self.tls).clone());
        let (client, connection) = host.postgres.connect(tls).await?;
        Ok(Connected::new(client, connection))
    }
}
