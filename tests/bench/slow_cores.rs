//! What a core that is slow lets through, beside what its slots would allow, and what the members of
//! another campus notice of it.

use std::time::Duration;

use clap::Args;
use core_sim::{Endpoint, Fault, FaultKind, WebhookBody};
use harness::{Role, TestSystem};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    churches::Churches,
    drain::queue::{empty, fill},
    report::{Figure, Report, Table, count},
    webhooks::{Sender, Webhooks},
};

const COLUMNS: [&str; 7] = [
    "events",
    "seconds",
    "events/s",
    "allowed/s",
    "% of allowed",
    "put off an event",
    "others p99 ms",
];

/// `WORKER_CORE_CONCURRENCY` unless it is set.
const SLOTS: f64 = 16.0;
/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A case that makes no progress for so long has failed.
const TIME_LIMIT: Duration = Duration::from_mins(1);
/// Between two events of the other campus.
const OTHERS_EVERY: Duration = Duration::from_millis(250);

/// How slow, and how much of it.
#[derive(Debug, Args)]
pub(crate) struct SlowCores {
    /// How long the core takes, in milliseconds, a case each
    #[arg(long, value_delimiter = ',', default_values_t = [0, 300, 1300, 5000])]
    core: Vec<u64>,
    /// How long each case should take, in seconds
    #[arg(long, default_value_t = 100)]
    seconds: u64,
    /// Events of the case without latency
    #[arg(long, default_value_t = 20_000)]
    events: u64,
    /// How long a share of 5 % takes in the last case, in milliseconds
    #[arg(long, default_value_t = 5000)]
    some: u64,
}

/// One case: a share of the answers comes late.
struct Case {
    name: String,
    milliseconds: u64,
    rate: f64,
    workers: usize,
}

impl Case {
    /// Events a second that the slots of all workers allow; none where nothing is late.
    fn allowed(&self) -> Option<f64> {
        let mean = count(self.milliseconds) / 1000.0 * self.rate;
        (mean > 0.0).then(|| SLOTS * count(self.workers as u64) / mean)
    }
}

pub(crate) async fn measure(slow: &SlowCores) {
    let mut cases: Vec<Case> = Vec::new();
    for milliseconds in slow.core.iter().copied() {
        let name = format!("{milliseconds} ms");
        cases.push(Case { name, milliseconds, rate: 1.0, workers: 1 });
    }
    if let Some(slowest) = slow.core.iter().copied().filter(|core| *core > 1000).min() {
        let name = format!("{slowest} ms, 2 workers");
        cases.push(Case { name, milliseconds: slowest, rate: 1.0, workers: 2 });
    }
    let name = format!("{} ms for 5 %, else 0", slow.some);
    cases.push(Case { name, milliseconds: slow.some, rate: 0.05, workers: 1 });

    let of = |case: &Case| case.allowed().map_or(slow.events, |rate| rounded(rate, slow.seconds));
    let most = cases.iter().map(of).max().unwrap_or(1);
    let workers = cases.iter().map(|case| case.workers).max().unwrap_or(1);
    let builder = TestSystem::builder().gateways(1).workers(workers).variable_of(
        Role::Worker,
        "RUST_LOG",
        "info",
    );
    let churches = Churches { campuses: 2, members: most * 2 };
    let (system, senders) = churches.spawn(builder).await;
    for worker in 0..workers {
        system.worker(worker).terminate(Duration::from_secs(30)).await.unwrap();
    }
    let mut report = Report::new("slow-cores");
    let title =
        "One campus's queued events, each about another member, and another campus beside it";
    let mut table = Table::new(title, COLUMNS);
    for case in &cases {
        table.row(case.name.clone(), one_case(&system, &senders, case, of(case)).await);
    }
    report.add(table);
    report.save();
}

/// As many as are through after some seconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands")]
fn rounded(rate: f64, seconds: u64) -> u64 {
    (rate * count(seconds) / 100.0).ceil() as u64 * 100
}

async fn one_case(
    system: &TestSystem,
    senders: &[Sender],
    case: &Case,
    events: u64,
) -> [Figure; COLUMNS.len()] {
    empty(system).await;
    system.core.clear_faults();
    let latency = FaultKind::Latency { ms: case.milliseconds, jitter_ms: 0, stale: false };
    let fault = Fault::everywhere(latency).at(Endpoint::Member).with_rate(case.rate);
    system.core.add_fault(fault.of_church(&senders[0].campus.core_church_id));
    fill(system, &Webhooks::of(senders[..1].to_vec()), events).await;
    let begin = Instant::now();
    for worker in 0..case.workers {
        system.worker(worker).start().unwrap();
    }
    for worker in 0..case.workers {
        system.until_ready("worker", worker, Duration::from_secs(30)).await;
    }
    let (stop, stopped) = oneshot::channel();
    let done = async {
        until_processed(system, &senders[0].campus.id, events).await;
        stop.send(()).unwrap();
        begin.elapsed().as_secs_f64()
    };
    let (took, others) = tokio::join!(done, others(system, &senders[1], stopped));
    let mut put_off = 0.0;
    for worker in 0..case.workers {
        put_off += system.worker_metric(worker, "worker_events_settled_total", "put_off").await;
        system.worker(worker).terminate(Duration::from_secs(30)).await.unwrap();
    }
    let client = system.database.client();
    let letters = client.query_one("SELECT count(*) FROM dead_letters", &[]).await.unwrap();
    assert_eq!(letters.get::<_, i64>(0), 0, "nothing is dead");
    let rate = count(events) / took;
    let allowed = case.allowed().unwrap_or(f64::NAN);
    println!("{}: {rate:.1} events/s", case.name);
    let p99 = others.sorted_at(0.99);
    [count(events), took, rate, allowed, rate / allowed * 100.0, put_off / count(events), p99]
        .map(Figure::from)
}

/// Waits until so many events of a campus have ended well; those of others count elsewhere.
async fn until_processed(system: &TestSystem, campus: &str, events: u64) {
    let count = "SELECT count(*) FROM webhook_logs WHERE campus_id = $1::text::uuid AND status = 'processed'";
    let client = system.database.client();
    let (mut last, mut last_progress) = (0, Instant::now());
    loop {
        let done =
            client.query_one(count, &[&campus]).await.unwrap().get::<_, i64>(0).unsigned_abs();
        if done >= events {
            return;
        }
        if done > last {
            (last, last_progress) = (done, Instant::now());
        }
        assert!(last_progress.elapsed() < TIME_LIMIT, "{done} of {events} events, and no more");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How long the other campus's events took to their committed rows, in milliseconds.
struct Others(Vec<f64>);

impl Others {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "some hundreds"
    )]
    fn sorted_at(mut self, share: f64) -> f64 {
        self.0.sort_unstable_by(f64::total_cmp);
        let place = (self.0.len() as f64 * share) as usize;
        self.0.get(place).or(self.0.last()).copied().unwrap_or(f64::NAN)
    }
}

/// Posts an event of another campus now and then, and waits for its row.
async fn others(
    system: &TestSystem,
    sender: &Sender,
    mut stopped: oneshot::Receiver<()>,
) -> Others {
    let mut took = Vec::new();
    let processed = "SELECT FROM webhook_logs WHERE event_id = $1 AND status = 'processed'";
    for member in sender.members.iter().cycle() {
        let body = WebhookBody::new("member.updated", &sender.campus.core_church_id, member);
        let begin = Instant::now();
        let event = system.post(&sender.campus, &body).await.event_id();
        while system.database.rows(processed, &[&event]).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        took.push(begin.elapsed().as_secs_f64() * 1000.0);
        if tokio::time::timeout(OTHERS_EVERY, &mut stopped).await.is_ok() {
            break;
        }
    }
    Others(took)
}
