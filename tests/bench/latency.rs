//! From POST to committed row at a constant rate, whatever the answers' pace: a slow answer does
//! not slow down the next request, so that waiting is measured and not hidden.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use clap::Args;
use tokio::{sync::mpsc, time::MissedTickBehavior};
use uuid::Uuid;

use crate::{floor, samples::Samples};
use tests::{
    core_sim::{Options, WebhookBody, sign},
    harness::{Role, TestSystem, WEBHOOK_PATH},
};

/// How often another session looks for rows that became visible: what is measured is at most this
/// much too long.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long the last events may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to send.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Webhooks a second
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// For how long, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// Members that the webhooks are about, in turn
    #[arg(long, default_value_t = 5000)]
    members: u32,
    /// Workers
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

#[derive(Debug, Default)]
struct Measured {
    answers: Samples,
    rows: Samples,
    refused: usize,
}

/// When each event was posted, until its row is seen.
type Posted = Arc<Mutex<HashMap<String, Instant>>>;

pub(crate) async fn measure(load: &Load) {
    let mut core = Options {
        churches: Options::churches_of(1, 1, u64::from(load.members)),
        ..Options::default()
    };
    core.settings.login_limit = None;
    let system = TestSystem::builder()
        .own_servers()
        .core(core)
        .workers(load.workers)
        // Logging at `info` is how it runs; the database is the servers' own, fsync and all.
        .variable_of(Role::Worker, "RUST_LOG", "info")
        .spawn()
        .await;
    println!("warming up: {} webhooks a second for 5 s", load.rate);
    run(&system, load.rate, 5, load.members).await;
    println!(
        "measuring:  {} webhooks a second for {} s, {} worker(s)",
        load.rate, load.seconds, load.workers
    );
    let measured = run(&system, load.rate, load.seconds, load.members).await;

    println!("\nPOST to answer         {}", measured.answers);
    println!("POST to committed row  {}", measured.rows);
    println!("{} rows seen, {} webhooks refused", measured.rows.len(), measured.refused);
    println!(
        "\nThe reference, one after another on the same servers, with nothing else under way:"
    );
    floor::measure(&system).await;
}

async fn run(system: &TestSystem, rate: u32, seconds: u32, members: u32) -> Measured {
    let posted = Posted::default();
    let total = rate * seconds;
    let watching =
        tokio::spawn(watch(system.database.url(), Utc::now(), Arc::clone(&posted), total as usize));
    let (answers, mut answered) = mpsc::unbounded_channel();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..total {
        ticks.tick().await;
        let event_id = Uuid::new_v4().to_string();
        let church = &system.campus.core_church_id;
        let member = system.core.member_id(church, u64::from(number % members)).unwrap();
        let body = WebhookBody::new("member.updated", church, &member)
            .with("event_id", event_id.as_str())
            .to_bytes();
        let request = client
            .post(format!("{}{WEBHOOK_PATH}", system.gateway_url()))
            .header("x-webhook-signature", sign(&system.campus.secret, &body))
            .body(body);
        let (posted, answers) = (Arc::clone(&posted), answers.clone());
        tokio::spawn(async move {
            let begin = Instant::now();
            posted.lock().unwrap_or_else(PoisonError::into_inner).insert(event_id, begin);
            let accepted = request.send().await.is_ok_and(|response| response.status() == 202);
            answers.send((accepted, begin.elapsed())).ok();
        });
    }
    drop(answers);
    let mut measured = Measured::default();
    while let Some((accepted, took)) = answered.recv().await {
        if accepted {
            measured.answers.add(took);
        } else {
            measured.refused += 1;
        }
    }
    measured.rows = watching.await.unwrap();
    measured
}

/// Looks for rows with a session of its own: what it sees is committed.
async fn watch(url: String, begin: DateTime<Utc>, posted: Posted, total: usize) -> Samples {
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    // Asking only for what is still missing keeps the watcher light: it must not slow down what it
    // watches.
    let statement = client
        .prepare(
            "SELECT event_id FROM webhook_logs
             WHERE event_id = ANY($1) AND received_at > $2 AND status = 'processed'",
        )
        .await
        .unwrap();
    let (mut samples, mut looks) = (Samples::default(), tokio::time::interval(LOOK_EVERY));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    while samples.len() < total && last.elapsed() < PATIENCE {
        looks.tick().await;
        let missing: Vec<String> =
            posted.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        if missing.is_empty() {
            continue;
        }
        let rows = client.query(&statement, &[&missing, &begin]).await.unwrap();
        let seen = Instant::now();
        let mut posted = posted.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            if let Some(begin) = posted.remove(row.get::<_, &str>(0)) {
                samples.add(seen - begin);
                last = seen;
            }
        }
    }
    connection.abort();
    samples
}
