//! As many webhooks as the gateway takes, at once: how long until all are committed, and what
//! merging saves.

use std::time::Duration;

use clap::Args;
use core_sim::Endpoint;
use harness::{Role, TestSystem};
use tokio::time::Instant;

use crate::{
    churches::Churches,
    end_to_end::committed,
    load::{self, End, Load, Pace},
    plot::{self, Axis, Line},
    report::{Figure, Report, Table},
    webhooks::{Sender, Webhooks},
};

const LOOK_EVERY: Duration = Duration::from_millis(200);
const TIME_LIMIT: Duration = Duration::from_mins(5);
const COLUMNS: [&str; 6] =
    ["intake s", "intake/s", "all committed s", "committed/s", "fetches", "fetches saved %"];

/// What comes at once.
#[derive(Debug, Args)]
pub(crate) struct Burst {
    /// Webhooks
    #[arg(long, default_value_t = 50_000)]
    webhooks: u64,
    /// Members that they are about, in turn, a case each
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000, 50_000])]
    members: Vec<u64>,
    /// Campuses that these belong to
    #[arg(long, default_value_t = 20)]
    campuses: usize,
    /// Connections
    #[arg(long, default_value_t = 128)]
    connections: usize,
    /// Workers
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

pub(crate) async fn measure(burst: &Burst) {
    let builder = TestSystem::builder().workers(burst.workers);
    let builder = builder.variable_of(Role::Worker, "RUST_LOG", "info").variable_of(
        Role::Gateway,
        "RUST_LOG",
        "info",
    );
    let most = burst.members.iter().copied().max().unwrap_or(1);
    let churches = Churches { campuses: burst.campuses, members: most };
    let (system, senders) = churches.spawn(builder).await;

    let title = format!(
        "{} webhooks as fast as they are taken, {} campuses, {} worker(s)",
        burst.webhooks, burst.campuses, burst.workers
    );
    let (mut report, mut table) = (Report::new("burst"), Table::new(title, COLUMNS));
    let mut plotted = Vec::new();
    for members in &burst.members {
        let each = usize::try_from(*members).unwrap() / burst.campuses;
        let few = senders.iter().map(|sender| Sender {
            campus: sender.campus.clone(),
            members: sender.members[..each].to_vec(),
        });
        let name = format!("about {members} members");
        let (figures, line) = one_burst(&system, Webhooks::of(few.collect()), burst, &name).await;
        table.row(name, figures);
        plotted.push(line);
    }
    report.add(table);
    plot::lines("burst.svg", "Webhooks committed", &Axis::Linear("seconds"), &plotted);
    report.save();
}

#[allow(clippy::cast_precision_loss, reason = "some millions")]
async fn one_burst(
    system: &TestSystem,
    webhooks: Webhooks,
    burst: &Burst,
    name: &str,
) -> ([Figure; COLUMNS.len()], Line) {
    let before = committed(system).await;
    system.core.reset_counters();
    let load = Load {
        address: system.gateway_url().trim_start_matches("http://").parse().unwrap(),
        connections: burst.connections,
        pace: Pace::Answered,
        end: End::Webhooks(burst.webhooks),
        source: webhooks.source(),
    };
    let begin = Instant::now();
    let sending = tokio::spawn(load::send(load));
    let mut line = Line::new(name);
    let mut done = 0;
    while done < burst.webhooks && begin.elapsed() < TIME_LIMIT {
        tokio::time::sleep(LOOK_EVERY).await;
        done = committed(system).await - before;
        line.add(begin.elapsed().as_secs_f64(), &(done as f64).into());
    }
    let took = begin.elapsed().as_secs_f64();
    let answers = sending.await.unwrap();
    if let Some(complaint) = answers.complaint() {
        println!("{name}: {complaint}");
    }
    let fetches = system.core.requests(Endpoint::Member) as f64;
    let figures = [
        answers.elapsed.as_secs_f64(),
        answers.rate(),
        took,
        done as f64 / took,
        fetches,
        (1.0 - fetches / burst.webhooks as f64) * 100.0,
    ];
    (figures.map(Figure::from), line)
}
