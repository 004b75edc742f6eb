//! From POST to committed row at fixed rates, whatever the answers' pace, and whether the workers
//! keep up with what the gateway takes in.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clap::Args;
use harness::{Role, TestSystem};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};

use crate::{
    churches::Churches,
    floor,
    load::{self, Answers, End, Load, Pace},
    report::{Figure, Report, Table},
    samples::{Samples, milliseconds},
    webhooks::{Sender, Webhooks},
};

/// How often another session looks for rows that became visible: what is measured is at most this
/// much too long.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Events looked for at once, the oldest first.
const LOOKED_FOR: usize = 256;
/// Events a second whose rows are looked for; more would slow down what is watched.
const WATCHED_A_SECOND: u32 = 200;
/// How long the last events may take.
const TIME_LIMIT: Duration = Duration::from_mins(2);
const CONNECTIONS: usize = 128;
const COLUMNS: [&str; 9] =
    ["intake/s", "drain/s", "answer p50 ms", "p99", "max", "row p50 ms", "p99", "max", "behind s"];

/// What to send.
#[derive(Debug, Args)]
pub(crate) struct EndToEnd {
    /// Webhooks a second, a case each
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000, 3000])]
    rates: Vec<u32>,
    /// For how long each, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Members that the webhooks are about, in turn
    #[arg(long, default_value_t = 50_000)]
    members: u64,
    /// Campuses that these belong to
    #[arg(long, default_value_t = 20)]
    campuses: usize,
    /// Workers
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

/// When each watched event was posted, by its number, until its row is seen.
type Posted = Arc<Mutex<BTreeMap<u64, Instant>>>;

pub(crate) async fn measure(load: &EndToEnd) {
    let builder = TestSystem::builder().workers(load.workers).variable("RUST_LOG", "info");
    let builder = builder.variable_of(Role::Worker, "RUST_LOG", "info");
    let churches = Churches { campuses: load.campuses, members: load.members };
    let (system, senders) = churches.spawn(builder).await;

    let title = format!(
        "POST to committed row, {} s at each rate, {} worker(s); {} members of {} campuses",
        load.seconds, load.workers, load.members, load.campuses
    );
    let (mut report, mut table) = (Report::new("end-to-end"), Table::new(title, COLUMNS));
    for rate in &load.rates {
        // Connections, caches and prepared statements, as they are in a system that runs.
        run(&system, &senders, *rate, 5).await;
        let measured = run(&system, &senders, *rate, load.seconds).await;
        println!("{rate}/s: rows {}", measured.rows);
        table.row(format!("{rate}/s"), measured.figures());
    }
    report.add(table);
    println!("\nThe reference, one after another on the same servers, nothing else under way:");
    report.add(floor::measure(&system).await);
    report.save();
}

struct Measured {
    answers: Answers,
    rows: Samples,
    /// Events committed, and from the first POST to the last commit.
    committed: u64,
    elapsed: Duration,
}

impl Measured {
    #[allow(clippy::cast_precision_loss, reason = "some millions")]
    fn figures(&self) -> [Figure; COLUMNS.len()] {
        let of = |samples: &Samples| samples.quantiles([0.5, 0.99, 1.0]).map(milliseconds);
        let (answers, rows) = (of(&self.answers.accepted), of(&self.rows));
        let behind = self.elapsed.saturating_sub(self.answers.elapsed);
        let drained = self.committed as f64 / self.elapsed.as_secs_f64();
        [
            self.answers.rate(),
            drained,
            answers[0],
            answers[1],
            answers[2],
            rows[0],
            rows[1],
            rows[2],
            behind.as_secs_f64(),
        ]
        .map(Figure::from)
    }
}

async fn run(system: &TestSystem, senders: &[Sender], rate: u32, seconds: u64) -> Measured {
    let webhooks = Webhooks::of(senders.to_vec());
    let posted = Posted::default();
    let every = u64::from(rate.div_ceil(WATCHED_A_SECOND));
    let source = webhooks.clone().source();
    let watched = Arc::clone(&posted);
    let address = system.gateway_url().trim_start_matches("http://").parse().unwrap();
    let before = committed(system).await;
    let begin = Instant::now();
    let load = Load {
        address,
        connections: CONNECTIONS,
        pace: Pace::Rate(rate),
        end: End::After(Duration::from_secs(seconds)),
        source: Arc::new(move |number, due| {
            if number.is_multiple_of(every) {
                watched.lock().unwrap_or_else(PoisonError::into_inner).insert(number, due);
            }
            source(number, due)
        }),
    };
    let (ended, end) = watch::channel(false);
    let watching = tokio::spawn(watch(system.database.url(), webhooks, Arc::clone(&posted), end));
    let answers = load::send(load).await;
    ended.send_replace(true);
    let rows = watching.await.unwrap();
    let accepted = answers.accepted.len() as u64;
    let mut done = 0;
    let deadline = Instant::now() + TIME_LIMIT;
    while done < accepted && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
        done = committed(system).await - before;
    }
    if let Some(complaint) = answers.complaint() {
        println!("{rate}/s: {complaint}");
    }
    Measured { answers, rows, committed: done, elapsed: begin.elapsed() }
}

/// Events that came to a good end so far.
pub(crate) async fn committed(system: &TestSystem) -> u64 {
    let done = "SELECT count(*) FROM webhook_logs WHERE status = 'processed'";
    let done: i64 = system.database.client().query_one(done, &[]).await.unwrap().get(0);
    done.cast_unsigned()
}

/// Looks for rows with a session of its own: what it sees is committed.
async fn watch(
    url: String,
    webhooks: Webhooks,
    posted: Posted,
    mut sent: watch::Receiver<bool>,
) -> Samples {
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let statement = client
        .prepare(
            "SELECT event_id FROM webhook_logs WHERE event_id = ANY($1) AND status = 'processed'",
        )
        .await
        .unwrap();
    let (mut samples, mut looks) = (Samples::default(), tokio::time::interval(LOOK_EVERY));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    while last.elapsed() < TIME_LIMIT {
        looks.tick().await;
        // Asking only for what is still missing keeps the watcher light: it must not slow down what
        // it watches.
        let missing: BTreeMap<String, u64> = {
            let posted = posted.lock().unwrap_or_else(PoisonError::into_inner);
            posted
                .keys()
                .take(LOOKED_FOR)
                .map(|number| (webhooks.event_id(*number), *number))
                .collect()
        };
        if missing.is_empty() {
            if *sent.borrow_and_update() {
                break;
            }
            last = Instant::now();
            continue;
        }
        let ids: Vec<&str> = missing.keys().map(String::as_str).collect();
        let rows = client.query(&statement, &[&ids]).await.unwrap();
        let seen = Instant::now();
        let mut posted = posted.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            if let Some(begin) =
                missing.get(row.get::<_, &str>(0)).and_then(|number| posted.remove(number))
            {
                samples.add(seen - begin);
                last = seen;
            }
        }
    }
    connection.abort();
    samples
}
