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
mod plan;
mod queues;
mod report;
mod test_bed;

use std::time::{Duration, Instant};

use anyhow::Context;
use rand::{SeedableRng, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use self::{changes::Changes, evidence::Evidence, inject::Injected, test_bed::TestBed};
pub use self::{leader::Loss, plan::Plan, report::Report};

impl Plan {
    /// Runs it, and prints how it went. An error says what was wrong, with the seed and where the
    /// logs are; what cannot happen in a good run panics.
    pub async fn run(&self) -> anyhow::Result<Report> {
        let seed = self.seed.unwrap_or_else(rand::random);
        println!("chaos with --seed {seed}, {} changes/s for {} min", self.rate, self.minutes);
        let bed = TestBed::new(self, seed).await;
        let evidence = Evidence::of(&bed, seed);
        let outcome = self.play(&bed, seed).await;
        if let Ok(report) = &outcome {
            println!("{report}");
            if report.complaints().is_empty() {
                evidence.discard();
            }
        }
        outcome.with_context(|| format!("--seed {seed}"))
    }

    async fn play(&self, bed: &TestBed, seed: u64) -> anyhow::Result<Report> {
        let mut changes = Changes::new(bed, self, StdRng::seed_from_u64(seed));
        let until = Instant::now() + Duration::from_secs_f64(self.minutes * 60.0);
        let stop = CancellationToken::new();
        let disturb = async {
            let _stops = stop.clone().drop_guard();
            if self.leaders {
                let losses = leader::lose_leaders(bed).await?;
                return Ok((Injected::default(), losses));
            }
            let random = StdRng::seed_from_u64(seed ^ u64::MAX);
            anyhow::Ok((inject::inject(bed, random, until).await, Vec::new()))
        };
        let (changed, disturbed) = tokio::join!(changes.make(self.rate, &stop), disturb);
        let (injected, losses) = disturbed?;
        println!("faults are over; waiting for rest");
        let over = Instant::now();
        bed.heal().await?;
        let rest = check::rest(bed, over + Duration::from_secs(self.rest_within)).await?;
        let took = over.elapsed();
        check::check_members(bed, changes.people()).await?;
        Ok(Report { seed, changed, injected, losses, rest, took, writes: bed.writes().await? })
    }
}
