//! How fast workers empty a queue, beside the same fetches without Postgres, and beside the same
//! rows without a queue or a core.

pub(crate) mod queue;
mod references;

use std::time::Duration;

use clap::Args;
use core_sim::Endpoint;
use harness::{Role, TestSystem};
use support::process::{forget_peak_memory, peak_memory, processor_time};
use tokio::time::Instant;

use crate::{
    churches::{Churches, slow_down},
    plot::{self, Axis, Line},
    report::{Figure, Report, Table, count, per},
    webhooks::{Sender, Webhooks},
};
use queue::{empty, fill, until_done};
use references::{fetch_only, rows_only};

const COLUMNS: [&str; 7] = [
    "events/s",
    "fetches/event",
    "worker CPU µs",
    "Postgres CPU µs",
    "broker CPU µs",
    "worker peak MB",
    "seconds",
];

/// What is drained by whom.
#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// Events that wait in the queue
    #[arg(long, default_value_t = 200_000)]
    events: u64,
    /// Members that they are about
    #[arg(long, default_value_t = 50_000)]
    members: u64,
    /// Campuses that these belong to
    #[arg(long, default_value_t = 20)]
    campuses: usize,
    /// Workers, a case each
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4])]
    workers: Vec<usize>,
    /// How late the core answers, in milliseconds, a case each
    #[arg(long, value_delimiter = ',', default_values_t = [0, 20])]
    core: Vec<u64>,
    /// Rounds
    #[arg(long, default_value_t = 2)]
    rounds: usize,
}

/// What one case came to.
#[derive(Default)]
struct Figures([Figure; COLUMNS.len()]);

pub(crate) async fn measure(drain: &Drain) {
    let most = drain.workers.iter().copied().max().unwrap_or(1);
    let builder = TestSystem::builder().gateways(1).workers(most).variable_of(
        Role::Worker,
        "RUST_LOG",
        "info",
    );
    let churches = Churches { campuses: drain.campuses, members: drain.members };
    let (system, senders) = churches.spawn(builder).await;
    for worker in 0..most {
        system.worker(worker).terminate(Duration::from_secs(30)).await.unwrap();
    }

    let mut report = Report::new("drain");
    let title = format!(
        "{} events about {} members of {} campuses, drained",
        drain.events, drain.members, drain.campuses
    );
    let mut table = Table::new(title, COLUMNS);
    let mut plotted = Vec::new();
    for core in &drain.core {
        for workers in &drain.workers {
            let mut figures = Figures::default();
            let mut line = Line::new(format!("{workers} worker(s), core {core} ms"));
            for round in 0..drain.rounds {
                let progress =
                    one_drain(&system, &senders, drain.events, *workers, *core, &mut figures).await;
                if round == 0 {
                    for (at, left) in progress {
                        line.add(at, &left.into());
                    }
                }
            }
            plotted.push(line);
            table.row(format!("{workers} worker(s), core {core} ms"), figures.0);
        }
    }
    report.add(table);

    let mut references = Table::new("The references, in the same run", ["events/s", "CPU µs"]);
    for core in &drain.core {
        let (rate, cpu) = fetch_only(&system, &senders, drain.events, *core).await;
        references.row(
            format!("consume, fetch, ack; no Postgres; core {core} ms (CPU with the core's)"),
            [rate.into(), cpu.into()],
        );
    }
    let (rate, cpu) = rows_only(&system, &senders, drain.events).await;
    references.row("the same rows in arrays of 256, on one connection", [rate.into(), cpu.into()]);
    report.add(references);
    plot::lines("drain.svg", "Events not yet committed", &Axis::Linear("seconds"), &plotted);
    report.save();
}

/// Fills the queue, and has it drained. Answers how many were left when.
async fn one_drain(
    system: &TestSystem,
    senders: &[Sender],
    events: u64,
    workers: usize,
    core: u64,
    figures: &mut Figures,
) -> Vec<(f64, f64)> {
    empty(system).await;
    slow_down(system, core);
    system.core.reset_counters();
    fill(system, &Webhooks::of(senders.to_vec()), events).await;
    let servers = system.servers();
    let (postgres, broker) =
        (servers.postgres.process_id().unwrap(), servers.rabbitmq.process_id().unwrap());
    let before = (processor_time(postgres), processor_time(broker));
    let begin = Instant::now();
    for worker in 0..workers {
        system.worker(worker).start().unwrap();
    }
    for worker in 0..workers {
        system.until_ready("worker", worker, Duration::from_secs(30)).await;
        forget_peak_memory(system.worker(worker).process_id().unwrap());
    }
    let progress = until_done(system, workers, events, begin).await;
    let took = begin.elapsed().as_secs_f64();
    let each = per(events);
    let of_workers = |what: fn(i32) -> f64| -> f64 {
        (0..workers).map(|worker| what(system.worker(worker).process_id().unwrap())).sum()
    };
    let row = [
        each.recip() * 1e6 / took,
        count(system.core.requests(Endpoint::Member)) / count(events),
        of_workers(|process| processor_time(process).as_secs_f64()) * each,
        processor_time(postgres).saturating_sub(before.0).as_secs_f64() * each,
        processor_time(broker).saturating_sub(before.1).as_secs_f64() * each,
        of_workers(|process| count(peak_memory(process).unwrap_or_default()) / 1024.0),
        took,
    ];
    println!("{workers} worker(s), core {core} ms: {:.0} events/s", row[0]);
    figures.0.iter_mut().zip(row).for_each(|(figure, value)| figure.add(value));
    for worker in 0..workers {
        system.worker(worker).terminate(Duration::from_secs(30)).await.unwrap();
    }
    let done: i64 = system
        .database
        .client()
        .query_one("SELECT count(*) FROM webhook_logs WHERE status = 'processed'", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(done.cast_unsigned(), events, "each event has its row");
    progress
}
