//! What a drain is compared with: the same fetches without Postgres, and the same rows without a
//! queue or a core.

use std::time::Duration;

use event::Envelope;
use futures_util::StreamExt;
use harness::TestSystem;
use lapin::{
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use serde_json::{Value, json};
use support::process::processor_time;
use tokio::time::Instant;
use uuid::Uuid;

use super::queue::{UNDER_WAY, WORK, empty, fill};
use crate::{
    churches::slow_down,
    report::{count, per},
    webhooks::{Sender, Webhooks},
};

/// The same consume and fetch loop, and no Postgres. Events a second, and processor time of this
/// program, the simulated core's included.
pub(super) async fn fetch_only(
    system: &TestSystem,
    senders: &[Sender],
    events: u64,
    core: u64,
) -> (f64, f64) {
    slow_down(system, 0);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let base = format!("{}/api", system.core.base_url());
    let login = json!({
        "email": core_sim::SUPER_ADMIN_EMAIL, "password": core_sim::DEFAULT_PASSWORD
    });
    let answer = http.post(format!("{base}/auth/login")).json(&login).send().await.unwrap();
    let token: Value = answer.json().await.unwrap();
    let token = token["access_token"].as_str().unwrap();
    fill(system, &Webhooks::of(senders.to_vec()), events).await;
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
pub(super) async fn rows_only(system: &TestSystem, senders: &[Sender], events: u64) -> (f64, f64) {
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
