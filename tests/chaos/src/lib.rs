//! The chaos run: the core changes and tells of it, while everything that the product consists of
//! and depends on is killed, frozen, cut off and made to answer nonsense, at random from a seed
//! that is printed. When the dust has settled, nothing that was accepted may be lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it is a test that runs for long, and tells how it goes"
)]

mod changes;
mod check;
mod dead_letters;
mod evidence;
mod fault;
mod inject;
mod leader;
pub mod nights;
mod queues;
mod report;
mod test_bed;

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use rand::{SeedableRng, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use self::{changes::Changes, evidence::Evidence, inject::Injected, test_bed::Scene};
pub use self::{leader::Loss, report::Report};

/// Changes members, posts webhooks and injects faults, then waits until all is quiet and judges:
/// every accepted event has a fate, no queue holds anything, members equal the core, and no write
/// put an older state over a newer one.
#[derive(Debug, Clone, Parser)]
#[command(version, name = "chaos")]
pub struct Plan {
    /// How long faults are injected, in minutes
    #[arg(long, default_value_t = 10.0)]
    pub minutes: f64,
    /// Faults and changes follow from it; one is chosen where none is given
    #[arg(long)]
    pub seed: Option<u64>,
    /// Changes a second, each with its webhook
    #[arg(long, default_value_t = 200)]
    pub rate: u32,
    /// Gateways
    #[arg(long, default_value_t = 2)]
    pub gateways: usize,
    /// Workers
    #[arg(long, default_value_t = 4)]
    pub workers: usize,
    /// Campuses, each with a church of the core
    #[arg(long, default_value_t = 3)]
    pub campuses: usize,
    /// Members of each campus
    #[arg(long, default_value_t = 200)]
    pub members: usize,
    /// Nodes of the RabbitMQ cluster
    #[arg(long, default_value_t = 1)]
    pub nodes: usize,
    /// Nothing at random: the node that leads the work queue is killed, three times
    #[arg(long)]
    pub leaders: bool,
    /// How long everything may take to come to rest afterwards, in seconds
    #[arg(long, default_value_t = 300)]
    pub rest_within: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self::parse_from(["chaos"])
    }
}

impl Plan {
    /// Runs it, and prints how it went. An error says what was wrong, with the seed and where the
    /// logs are; what cannot happen in a good run panics.
    pub async fn run(&self) -> anyhow::Result<Report> {
        let seed = self.seed.unwrap_or_else(rand::random);
        println!("chaos with --seed {seed}, {} changes/s for {} min", self.rate, self.minutes);
        let scene = Scene::set(self, seed).await;
        let evidence = Evidence::of(&scene, seed);
        let outcome = self.play(&scene, seed).await;
        if let Ok(report) = &outcome {
            println!("{report}");
            if report.complaints().is_empty() {
                evidence.discard();
            }
        }
        outcome.with_context(|| format!("--seed {seed}"))
    }

    async fn play(&self, scene: &Scene, seed: u64) -> anyhow::Result<Report> {
        let mut changes = Changes::new(scene, self, StdRng::seed_from_u64(seed));
        let until = Instant::now() + Duration::from_secs_f64(self.minutes * 60.0);
        let stop = CancellationToken::new();
        let disturb = async {
            let _stops = stop.clone().drop_guard();
            if self.leaders {
                let losses = leader::lose_leaders(scene).await?;
                return Ok((Injected::default(), losses));
            }
            let random = StdRng::seed_from_u64(seed ^ u64::MAX);
            anyhow::Ok((inject::inject(scene, random, until).await, Vec::new()))
        };
        let (changed, disturbed) = tokio::join!(changes.make(self.rate, &stop), disturb);
        let (injected, losses) = disturbed?;
        println!("faults are over; waiting for rest");
        let over = Instant::now();
        scene.heal().await?;
        let rest = check::rest(scene, over + Duration::from_secs(self.rest_within)).await?;
        let took = over.elapsed();
        check::judge(scene, changes.people()).await?;
        Ok(Report { seed, changed, injected, losses, rest, took, writes: scene.writes().await? })
    }
}
