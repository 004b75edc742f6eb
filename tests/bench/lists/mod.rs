//! How long lists take where there is much: millions of deliveries, a hundred thousand dead letters, hundreds of campuses.

mod cases;
mod fill;
mod insert;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use clap::Args;
use harness::{Role, TestSystem};
use support::program::binary;

use self::cases::{LISTS, WITHOUT_BROKER};
use crate::report::{Figure, Report, Table};

const COLUMNS: [&str; 5] =
    ["p50 ms", "p99 ms", "worst ms", "statements p50 ms", "statements worst ms"];

/// How much there is.
#[derive(Debug, Args)]
pub(crate) struct Lists {
    /// Deliveries, spread over 90 days, three tenths of them in the last day and a half
    #[arg(long, default_value_t = 10_000_000)]
    deliveries: i64,
    /// Campuses, some with far more deliveries than others
    #[arg(long, default_value_t = 200)]
    campuses: i32,
    /// How often each list is asked for
    #[arg(long, default_value_t = 50)]
    rounds: usize,
    /// A `faithctl` of a version before, which is measured too, without the indices of lists
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// How often it is asked for each list
    #[arg(long, default_value_t = 3)]
    rounds_before: usize,
}

pub(crate) async fn measure(lists: &Lists) {
    let system = TestSystem::builder().gateways(0).workers(0).own_servers().spawn().await;
    let begin = Instant::now();
    fill::fill(&system, lists.deliveries, lists.campuses).await;
    println!("filled in {:.0} s", begin.elapsed().as_secs_f64());
    let mut report = Report::new("lists");
    let title = format!("Lists of {} deliveries of {} campuses", lists.deliveries, lists.campuses);
    report.add(table(&system, title, &binary("faithctl").unwrap(), lists.rounds).await);
    report.add(insert::measure(&system).await);
    if let Some(before) = &lists.before {
        fill::forget_indices(&system).await;
        let title = "The version before, without the indices of lists".to_owned();
        report.add(table(&system, title, before, lists.rounds_before).await);
    }
    report.save();
}

/// Measures each list, all rounds of one after another.
async fn table(system: &TestSystem, title: String, faithctl: &Path, rounds: usize) -> Table {
    let values = cases::values(system).await;
    tell_durations(system).await;
    let mut table = Table::new(title, COLUMNS);
    for list in LISTS {
        let command =
            values.iter().fold(list.to_owned(), |list, (name, value)| list.replace(name, value));
        let (mut total, mut statements) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let told = log_length(system);
            let Some(took) = run(system, faithctl, &command) else { break };
            total.push(took);
            statements.push(durations(system, told));
        }
        // A version before may not have it.
        if total.is_empty() {
            continue;
        }
        total.sort_unstable_by(f64::total_cmp);
        statements.sort_unstable_by(f64::total_cmp);
        let at = |sorted: &[f64], share: usize| {
            Figure::from(sorted[(sorted.len() * share / 100).min(sorted.len() - 1)])
        };
        let figures = [
            at(&total, 50),
            at(&total, 99),
            at(&total, 100),
            at(&statements, 50),
            at(&statements, 100),
        ];
        println!("{list}: {:.0} ms", figures[0].median());
        table.row(list, figures);
    }
    table
}

/// How many milliseconds a command takes; none where it refuses.
fn run(system: &TestSystem, faithctl: &Path, command: &str) -> Option<f64> {
    let begin = Instant::now();
    let output = Command::new(faithctl)
        .args(command.split(' '))
        .env_clear()
        .envs(system.variables(Role::Admin))
        .output()
        .unwrap();
    let took = begin.elapsed().as_secs_f64() * 1000.0;
    let is_done = output.status.success() || WITHOUT_BROKER.contains(&command);
    is_done.then_some(took)
}

/// Has Postgres log how long each statement of `faithctl` takes, the planning included.
async fn tell_durations(system: &TestSystem) {
    let tell = "DO $$ BEGIN EXECUTE format('ALTER ROLE faith_admin IN DATABASE %I SET log_min_duration_statement = 0',
                current_database()); END $$";
    system.database.client().batch_execute(tell).await.unwrap();
}

fn log_length(system: &TestSystem) -> usize {
    std::fs::metadata(system.servers().postgres.log()).unwrap().len().try_into().unwrap()
}

/// The milliseconds of all statements that were logged behind `from`.
fn durations(system: &TestSystem, from: usize) -> f64 {
    let log = std::fs::read(system.servers().postgres.log()).unwrap();
    let log = String::from_utf8_lossy(&log[from.min(log.len())..]);
    log.lines()
        .filter_map(|line| {
            line.split_once("duration: ")?.1.split_once(" ms")?.0.parse::<f64>().ok()
        })
        .sum()
}
