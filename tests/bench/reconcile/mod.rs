//! Nights: how long the reconciler takes for many members in many campuses, beside what Postgres
//! alone takes for copying the same rows and comparing them, measured in turns on the same server.

mod floor;
mod night;
mod scene;
mod table;
mod usage;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use floor::Floor;
use scene::Scene;

/// How much there is to reconcile.
#[derive(Debug, Args)]
pub(crate) struct Nights {
    /// Members, all campuses together
    #[arg(long, default_value_t = 1_000_000)]
    members: u64,
    /// Campuses
    #[arg(long, default_value_t = 20)]
    campuses: usize,
    /// Nights without drift, and as many with 1 % of it
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// `DATABASE_POOL_SIZE` of the reconciler, which decides how many campuses go side by side
    #[arg(long)]
    pool_size: Option<u32>,
    /// Writes everything that was measured into this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) async fn measure(nights: &Nights) {
    println!("preparing {} members in {} campuses", nights.members, nights.campuses);
    let scene = Scene::set(nights).await;
    let pages = scene.pages().await;
    println!("a bare client fetches all pages and drops them: {:.1} s", pages.seconds);

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
    let measured = [vec![import], quiet, drifted];
    table::print(&pages, &floors, &measured);
    if let Some(file) = &nights.json {
        let all = json!({
            "members": nights.members, "campuses": nights.campuses, "pool_size": nights.pool_size,
            "pages": pages, "floor": floors,
            "nights": measured.concat(),
        });
        std::fs::write(file, serde_json::to_vec_pretty(&all).unwrap()).unwrap();
    }
}
