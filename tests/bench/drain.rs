//! How fast workers empty a queue, beside the same fetches without Postgres, and beside the same
//! rows without a queue or a core.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use event::{Envelope, EventType, SCHEMA_VERSION};
use futures_util::{StreamExt, stream::FuturesUnordered};
use lapin::{
    BasicProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions,
    },
    types::FieldTable,
};
use serde_json::{Value, json};
use tests::{
    core_sim::Endpoint,
    harness::{Role, TestSystem},
    process::{forget_peak_memory, peak_memory, processor_time},
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    churches::{Churches, slow_down},
    plot::{self, Axis, Line},
    report::{Figure, Report, Table},
    webhooks::{Sender, Webhooks},
};

const EXCHANGE: &str = "member-events";
const WORK: &str = "member-events.work";
/// Unconfirmed while the queue is filled, and unacked in the reference: the worker's prefetch.
const UNDER_WAY: usize = 256;
/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A drain that makes no progress for so long has failed.
const PATIENCE: Duration = Duration::from_mins(1);
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
    fill(system, senders, events).await;
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

#[allow(clippy::cast_precision_loss, reason = "some millions")]
fn count(number: u64) -> f64 {
    number as f64
}

/// What turns seconds into microseconds for each of so many.
fn per(events: u64) -> f64 {
    1e6 / count(events)
}

async fn empty(system: &TestSystem) {
    let tables = "TRUNCATE members, member_sync, webhook_logs CASCADE; VACUUM; CHECKPOINT";
    for statement in tables.split("; ") {
        system.database.client().batch_execute(statement).await.unwrap();
    }
}

/// As the gateway publishes.
async fn fill(system: &TestSystem, senders: &[Sender], events: u64) {
    let webhooks = Webhooks::of(senders.to_vec());
    let channel = system.broker.channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut confirms = FuturesUnordered::new();
    for number in 0..events {
        let (campus, member) = webhooks.about(number);
        let envelope = Envelope {
            schema_version: SCHEMA_VERSION,
            delivery_id: Uuid::now_v7(),
            event_id: webhooks.event_id(number),
            event_type: EventType::MemberUpdated,
            campus_id: campus.id.parse().unwrap(),
            member_id: Some(member.to_owned()),
            occurred_at: Some(Utc::now()),
            received_at: DateTime::from_timestamp_micros(Utc::now().timestamp_micros()).unwrap(),
        };
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into())
            .with_message_id(envelope.delivery_id.to_string().into())
            .with_type("member.updated".into());
        let options = BasicPublishOptions::default();
        let body = envelope.encode();
        let publish =
            channel.basic_publish(EXCHANGE.into(), WORK.into(), options, &body, properties);
        confirms.push(publish.await.unwrap());
        if confirms.len() >= UNDER_WAY {
            assert!(confirms.next().await.unwrap().unwrap().is_ack());
        }
    }
    while let Some(confirmed) = confirms.next().await {
        assert!(confirmed.unwrap().is_ack());
    }
}

/// Waits until the workers have committed as many; answers how many were left when.
async fn until_done(
    system: &TestSystem,
    workers: usize,
    events: u64,
    begin: Instant,
) -> Vec<(f64, f64)> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut progress = vec![(0.0, count(events))];
    let (mut last, mut last_progress) = (0.0, Instant::now());
    loop {
        let mut done = 0.0;
        for worker in 0..workers {
            let url = format!("{}/metrics", system.admin_url("worker", worker));
            let text = http.get(url).send().await.unwrap().text().await.unwrap();
            done += text
                .lines()
                .filter(|line| {
                    line.starts_with("worker_events_settled_total{") && line.contains("\"done\"")
                })
                .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
                .sum::<f64>();
        }
        progress.push((begin.elapsed().as_secs_f64(), count(events) - done));
        if done >= count(events) {
            return progress;
        }
        if done > last {
            (last, last_progress) = (done, Instant::now());
        }
        assert!(last_progress.elapsed() < PATIENCE, "{done} of {events} events, and no more");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The same consume and fetch loop, and no Postgres. Events a second, and processor time of this
/// program, the simulated core's included.
async fn fetch_only(system: &TestSystem, senders: &[Sender], events: u64, core: u64) -> (f64, f64) {
    slow_down(system, 0);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let base = format!("{}/api", system.core.base_url());
    let login = json!({
        "email": tests::core_sim::SUPER_ADMIN_EMAIL, "password": tests::core_sim::DEFAULT_PASSWORD
    });
    let answer = http.post(format!("{base}/auth/login")).json(&login).send().await.unwrap();
    let token: Value = answer.json().await.unwrap();
    let token = token["access_token"].as_str().unwrap();
    fill(system, senders, events).await;
    slow_down(system, core);

    let channel = system.broker.channel().await;
    let prefetch = u16::try_from(UNDER_WAY).unwrap();
    channel.basic_qos(prefetch, BasicQosOptions::default()).await.unwrap();
    let me = std::process::id().cast_signed();
    let (begin, before) = (Instant::now(), own_time(me));
    let options = BasicConsumeOptions::default();
    let consumer = channel
        .basic_consume(WORK.into(), "".into(), options, FieldTable::default())
        .await
        .unwrap();
    let total = usize::try_from(events).unwrap();
    consumer
        .take(total)
        .for_each_concurrent(UNDER_WAY, |delivery| async {
            let delivery = delivery.unwrap();
            let envelope: Envelope = serde_json::from_slice(&delivery.data).unwrap();
            let member = envelope.member_id.unwrap();
            let request = http.get(format!("{base}/members/{member}")).bearer_auth(token);
            let _member: Value = request.send().await.unwrap().json().await.unwrap();
            delivery.ack(BasicAckOptions::default()).await.unwrap();
        })
        .await;
    let took = begin.elapsed().as_secs_f64();
    (count(events) / took, own_time(me).saturating_sub(before).as_secs_f64() * per(events))
}

/// Processor time of this program alone, without those that it has started.
fn own_time(me: i32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{me}/stat")).unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1;
    let ticks: u64 =
        fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The same rows, and nothing else: a member and a line of the log for each event, in transactions
/// of 256. Events a second, and processor time of Postgres.
async fn rows_only(system: &TestSystem, senders: &[Sender], events: u64) -> (f64, f64) {
    empty(system).await;
    let client = system.database.client();
    let members = client
        .prepare(
            "INSERT INTO members (campus_id, external_member_id, name, phone, gender, age)
             SELECT $1, id, 'A name of some length', '+628123456789', 'Female', 35
             FROM (SELECT DISTINCT unnest($2::text[]) AS id ORDER BY id) AS ids
             ON CONFLICT (campus_id, external_member_id)
             DO UPDATE SET name = excluded.name, phone = excluded.phone, updated_at = now()",
        )
        .await
        .unwrap();
    let logs = client
        .prepare(
            "INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload,
                 signature_valid, received_at, status, message, attempts, processed_at)
             SELECT gen_random_uuid(), $1, gen_random_uuid()::text, 'member.updated', id,
                 '{\"event_type\": \"member.updated\"}', true, now(), 'processed',
                 'Member updated: A name of some length', 1, now()
             FROM unnest($2::text[]) AS id",
        )
        .await
        .unwrap();
    let postgres = system.servers().postgres.process_id().unwrap();
    let (begin, before) = (Instant::now(), processor_time(postgres));
    let mut left = events;
    for round in 0.. {
        let sender = &senders[round % senders.len()];
        let campus: Uuid = sender.campus.id.parse().unwrap();
        let batch = usize::try_from(left).unwrap().min(UNDER_WAY);
        let first = round / senders.len() * UNDER_WAY;
        let ids: Vec<&str> = (first..first + batch)
            .map(|row| sender.members[row % sender.members.len()].as_str())
            .collect();
        client.batch_execute("BEGIN").await.unwrap();
        client.execute(&members, &[&campus, &ids]).await.unwrap();
        client.execute(&logs, &[&campus, &ids]).await.unwrap();
        client.batch_execute("COMMIT").await.unwrap();
        left -= batch as u64;
        if left == 0 {
            break;
        }
    }
    let took = begin.elapsed().as_secs_f64();
    let cpu = processor_time(postgres).saturating_sub(before).as_secs_f64();
    (count(events) / took, cpu * per(events))
}
