//! Nights: how long the reconciler takes for many members in many campuses, beside what Postgres
//! alone takes for copying the same rows and comparing them, measured in turns on the same server.

mod floor;
mod night;
mod table;
mod test_bed;
mod usage;

use clap::Args;

use crate::report::Report;
use floor::Floor;
use table::Measured;
use test_bed::Scene;

/// How much there is to reconcile.
#[derive(Debug, Args)]
pub(crate) struct Nights {
    /// Members, all campuses together; several numbers are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    members: Vec<u64>,
    /// Campuses
    #[arg(long, default_value_t = 20)]
    campuses: usize,
    /// Nights without drift, and as many with 1 % of it
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// `DATABASE_POOL_SIZE` of the reconciler, which decides how many campuses go side by side
    #[arg(long)]
    pool_size: Option<u32>,
    /// Document that the results go to
    #[arg(long, default_value = "reconcile")]
    results: String,
}

pub(crate) async fn measure(nights: &Nights) {
    let mut report = Report::new(&nights.results);
    let mut all = Vec::new();
    for members in &nights.members {
        let measured = measure_one(nights, *members).await;
        report.add(measured.table());
        all.push(measured);
    }
    report.add(table::by_members(&all));
    report.save();
}

async fn measure_one(nights: &Nights, members: u64) -> Measured {
    println!("\npreparing {members} members in {} campuses", nights.campuses);
    let scene = Scene::set(nights, members).await;
    let pages = scene.pages().await;
    let import = scene.night("first import").await;
    scene.settle().await;
    let floor = Floor::lay(&scene).await;
    let (mut floors, mut quiet, mut drifted) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..nights.rounds {
        floors.push(floor.measure(&scene).await);
        quiet.push(scene.night("no drift").await);
    }
    for round in 0..nights.rounds {
        scene.drift(round);
        drifted.push(scene.night("1 % drift").await);
    }
    Measured { members, pages, floors, quiet, drifted, import: vec![import] }
}
