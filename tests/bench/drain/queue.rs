//! The work queue: filled as the gateway does it, and watched while workers empty it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use event::{Envelope, EventType, SCHEMA_VERSION};
use futures_util::{StreamExt, stream::FuturesUnordered};
use harness::TestSystem;
use lapin::{
    BasicProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{report::count, webhooks::Webhooks};

/// Where events wait for workers.
pub(crate) const WORK: &str = "member-events.work";
const EXCHANGE: &str = "member-events";
/// Unconfirmed while the queue is filled, and unacked in the reference: the worker's prefetch.
pub(super) const UNDER_WAY: usize = 256;
/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A drain that makes no progress for so long has failed.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Forgets what earlier drains have written.
pub(crate) async fn empty(system: &TestSystem) {
    let tables = "TRUNCATE members, member_sync, webhook_logs CASCADE; VACUUM; CHECKPOINT";
    for statement in tables.split("; ") {
        system.database.client().batch_execute(statement).await.unwrap();
    }
}

/// Queues as many events of `webhooks`, as the gateway publishes them.
pub(crate) async fn fill(system: &TestSystem, webhooks: &Webhooks, events: u64) {
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

/// Waits until the workers have committed as many since they were started; answers how many were
/// left when.
pub(crate) async fn until_done(
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
        assert!(last_progress.elapsed() < TIME_LIMIT, "{done} of {events} events, and no more");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
