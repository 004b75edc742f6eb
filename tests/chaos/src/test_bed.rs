//! What a chaos run is played on.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use core_sim::Options;
use harness::{
    oracle,
    proxy::{Mode, Proxy},
    {Campus, TestSystem},
};
use support::program::Program;
use tokio_postgres::Client;

use super::plan::Plan;

/// FaithFlow's schedule, faster, and with more tries: it gives up after a few minutes, and no fault
/// lasts longer than some seconds here.
const SENDER_DELAYS_MS: [u64; 7] = [500, 1000, 2000, 4000, 8000, 15_000, 30_000];
/// Short ones, so that a refusal that lasts ends in the dead letters.
const RETRY_DELAYS: &str = "200ms,500ms,1s,2s";
/// How long a program may take to be well again.
const WELL_WITHIN: Duration = Duration::from_mins(1);

/// The programs, the servers, the core, and the proxies between them.
pub(super) struct TestBed {
    pub(super) system: TestSystem,
    /// By the id of the church.
    pub(super) campuses: BTreeMap<String, Campus>,
    /// Before each gateway, where webhooks are posted.
    pub(super) doors: Vec<Proxy>,
}

impl TestBed {
    pub(super) async fn new(plan: &Plan, seed: u64) -> Self {
        let mut core = Options {
            churches: Options::churches_of(seed, plan.campuses, 0),
            seed,
            count_members: false,
            ..Options::default()
        };
        let settings = &mut core.settings;
        settings.retry_delays_ms = SENDER_DELAYS_MS.to_vec();
        settings.retry_timeout_ms = 5000;
        settings.duplicate_rate = 0.02;
        let churches = core.churches.clone();
        let system = TestSystem::builder()
            .cluster(plan.nodes)
            .proxied()
            .gateways(plan.gateways)
            .workers(plan.workers)
            .core(core)
            .variable("RETRY_DELAYS", RETRY_DELAYS)
            .spawn()
            .await;
        system.database.client().batch_execute(oracle::RECORDER).await.unwrap();
        let mut campuses = BTreeMap::from([(churches[0].id.clone(), system.campus.clone())]);
        for church in &churches[1..] {
            campuses.insert(church.id.clone(), system.add_campus(church, &[]).await);
        }
        let mut doors = Vec::new();
        for gateway in 0..plan.gateways {
            let url = system.gateway_url_of(gateway);
            let address = url.trim_start_matches("http://").parse().unwrap();
            doors.push(Proxy::to(address).await.unwrap());
        }
        for (number, campus) in campuses.values().enumerate() {
            let door = doors[number % doors.len()].address();
            let url = format!("http://{door}{}", campus.webhook_path);
            system.core.set_webhook(&campus.core_church_id, &url, &campus.secret).unwrap();
        }
        Self { system, campuses, doors }
    }

    /// Every proxy, by what it stands between.
    pub(super) fn proxies(&self) -> Vec<(String, &Proxy)> {
        let proxies = self.system.proxies();
        let doors = self.doors.iter().enumerate();
        doors
            .map(|(number, door)| (format!("sender to gateway {number}"), door))
            .chain([
                ("gateways to RabbitMQ".to_owned(), &proxies.gateway_to_rabbitmq),
                ("gateways to Postgres".to_owned(), &proxies.gateway_to_postgres),
                ("workers to RabbitMQ".to_owned(), &proxies.worker_to_rabbitmq),
                ("workers to Postgres".to_owned(), &proxies.worker_to_postgres),
                ("workers to core".to_owned(), &proxies.to_core),
            ])
            .collect()
    }

    /// How many events were accepted, and how many were not yet, or never.
    pub(super) fn sent(&self) -> (usize, usize) {
        let accepted = self.system.core.delivered_event_ids().len();
        (accepted, self.system.core.deliveries().len() - accepted)
    }

    /// Every daemon, with its kind and its number.
    pub(super) fn daemons(&self) -> impl Iterator<Item = (&'static str, usize)> {
        ["gateway", "worker"]
            .into_iter()
            .flat_map(|kind| (0..self.system.replicas(kind)).map(move |index| (kind, index)))
    }

    pub(super) fn program(&self, kind: &str, index: usize) -> &Program {
        match kind {
            "gateway" => self.system.gateway(index),
            _ => self.system.worker(index),
        }
    }

    /// Whatever is left of a fault ends, and every program must be well.
    pub(super) async fn heal(&self) -> anyhow::Result<()> {
        self.system.core.clear_faults();
        for (_, proxy) in self.proxies() {
            proxy.set(Mode::Forward);
        }
        for (kind, index) in self.daemons() {
            let program = self.program(kind, index);
            if let Some(status) = program.ended() {
                bail!("{} ended by itself ({status})", program.name());
            }
            let address = self.system.admin_url(kind, index);
            let address = address.trim_start_matches("http://").parse()?;
            program.ready(address, WELL_WITHIN).await.context("not well after all faults")?;
        }
        Ok(())
    }

    /// A session that looks at what was done; after a crash of Postgres each needs a new one.
    pub(super) async fn look(&self) -> anyhow::Result<Client> {
        let deadline = Instant::now() + WELL_WITHIN;
        loop {
            match tokio_postgres::connect(&self.system.database.url(), tokio_postgres::NoTls).await
            {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return Ok(client);
                }
                Err(error) => ensure!(Instant::now() < deadline, "Postgres is away: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// How many writes were recorded.
    pub(super) async fn writes(&self) -> anyhow::Result<i64> {
        let count = "SELECT (SELECT count(*) FROM applied_writes) + (SELECT count(*) FROM written_versions)";
        Ok(self.look().await?.query_one(count, &[]).await?.get(0))
    }
}
