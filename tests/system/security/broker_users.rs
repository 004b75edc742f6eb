//! RabbitMQ users with the least rights (`deploy/rabbitmq/permissions`): enough to work, and no more.

use std::time::Duration;

use core_sim::{Webhook, WebhookBody};
use harness::{Role, SIGNATURE_HEADER, TestSystem, WEBHOOK_PATH, eventually};
use queue::lapin::{
    BasicProperties, Channel, ErrorKind,
    options::{
        BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
        QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
    },
    types::{AMQPValue, FieldTable},
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
/// `ACCESS_REFUSED`
const REFUSED: u16 = 403;

#[tokio::test]
async fn every_program_does_its_work_as_its_own_user() {
    let builder = TestSystem::builder().broker_users().variable("RETRY_DELAYS", "100ms,200ms");
    let system = builder.spawn().await;
    let campus = &system.campus;
    let church = &campus.core_church_id;
    let post = async |member: &str| {
        let body = WebhookBody::new("member.updated", church, member);
        let answer = system.post(campus, &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.event_id()
    };
    let status = async |event: &str| {
        let query = "SELECT status FROM webhook_logs WHERE event_id = $1";
        let row = system.database.rows(query, &[&event]).await.pop();
        row.map_or(Value::Null, |row| row["status"].clone())
    };
    let becomes = async |event: &str, expected: &str| {
        eventually(expected, SOON, async || {
            let seen = status(event).await;
            if seen == expected { Ok(()) } else { Err(seen.to_string()) }
        })
        .await;
    };
    // To the end, by the delay queues to the dead letters, and back.
    let event = post("m-1").await;
    becomes(&event, "dead").await;
    let fields = json!({"id": "m-1", "full_name": "Budi"});
    assert!(system.core.create(church, fields, Webhook::Silent).is_ok());
    becomes(&post("m-1").await, "processed").await;
    let letters = "SELECT status FROM dead_letters";
    eventually("the letter is collected", SOON, async || {
        system.database.rows(letters, &[]).await.len() == 1
    })
    .await;
    system.faithctl(&["dead-letters", "replay", "--yes"]).await.success();
    eventually("the letter is resolved", SOON, async || {
        system.database.rows(letters, &[]).await == [json!({"status": "resolved"})]
    })
    .await;
    // The audit of what was refused.
    let body = WebhookBody::new("member.updated", church, "m-2").to_bytes();
    let forged = system.post_raw(WEBHOOK_PATH, &[(SIGNATURE_HEADER, b"wrong")], &body).await;
    assert_eq!(forged.status, 401);
    eventually("the refusal is logged", SOON, async || {
        let rejected = "SELECT FROM webhook_logs WHERE status = 'rejected'";
        !system.database.rows(rejected, &[]).await.is_empty()
    })
    .await;
    let doctor = eventually("all is well", SOON, async || {
        let finished = system.faithctl(&["doctor", "--json"]).await;
        if finished.code == Some(0) { Ok(finished.stdout) } else { Err(finished.stdout) }
    })
    .await;
    assert!(doctor.contains("this user may not compare their arguments"), "{doctor}");
    let log = std::fs::read_to_string(system.worker(0).log()).unwrap();
    assert!(!log.contains("ACCESS_REFUSED"), "{log}");
}

/// RabbitMQ 4.2.6 and 4.3.0 answer a passive declaration only to who may delete the queue, and later
/// ones only to who has some right on it.
#[tokio::test]
async fn nothing_needs_a_passive_declaration() {
    let builder = TestSystem::builder().broker_users().passive_declarations_refused();
    let system = builder.spawn().await;
    let church = &system.campus.core_church_id;
    let fields = json!({"id": "m-1", "full_name": "Budi"});
    assert!(system.core.create(church, fields, Webhook::Silent).is_ok());
    let body = WebhookBody::new("member.updated", church, "m-1");
    let answer = system.post(&system.campus, &body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    eventually("the event is processed", SOON, async || {
        let query = "SELECT status FROM webhook_logs WHERE event_id = $1";
        let rows = system.database.rows(query, &[&answer.event_id()]).await;
        if rows == [json!({"status": "processed"})] { Ok(()) } else { Err(format!("{rows:?}")) }
    })
    .await;
    let status = system.faithctl(&["status", "--json"]).await.success();
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["queues"][0]["messages"], Value::Null, "{status:?}");
    let doctor = eventually("the rest is well", SOON, async || {
        let finished = system.faithctl(&["doctor", "--json"]).await;
        if finished.code == Some(0) { Ok(finished.stdout) } else { Err(finished.stdout) }
    })
    .await;
    assert!(doctor.contains("does not let this user count"), "{doctor}");
}

/// RabbitMQ 3.10 loses all its dead-lettering when a queue with it is deleted before its worker has begun.
async fn queues_are_in_use(system: &TestSystem) {
    let body = WebhookBody::test(&system.campus.core_church_id);
    assert_eq!(system.post(&system.campus, &body).await.status, 200);
}

#[tokio::test]
async fn a_gateway_that_may_only_publish_takes_nothing_for_a_queue_that_is_not_as_it_must_be() {
    let system = TestSystem::builder().broker_users().workers(1).spawn().await;
    queues_are_in_use(&system).await;
    system.worker(0).terminate(SOON).await.unwrap();
    // A queue of that name, as somebody else would make it: it confirms, and keeps five.
    let channel = system.broker.channel().await;
    let options = QueueDeleteOptions::default();
    channel.queue_delete("member-events.work".into(), options).await.unwrap();
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(5));
    channel.queue_declare("member-events.work".into(), options, arguments).await.unwrap();
    let (work, exchange) = ("member-events.work".into(), "member-events".into());
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(work, exchange, "member-events.work".into(), options, none).await.unwrap();
    let url = format!("{}/readyz", system.admin_url("gateway", 0));
    let missing = async || {
        let answer = reqwest::get(&url).await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if text.contains("which a worker declares") { Ok(()) } else { Err(text) }
    };
    system.gateway(0).kill();
    system.gateway(0).start().unwrap();
    eventually("the gateway is not ready", SOON, missing).await;
    let body = WebhookBody::test(&system.campus.core_church_id);
    assert_eq!(system.post(&system.campus, &body).await.status, 503);
    // A worker says what is wrong with it, and does not use it either.
    system.worker(0).start().unwrap();
    let url = format!("{}/readyz", system.admin_url("worker", 0));
    eventually("the worker says what is wrong", SOON, async || {
        let answer = reqwest::get(&url).await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if text.contains("inequivalent arg") { Ok(()) } else { Err(text) }
    })
    .await;
    eventually("the gateway is not ready", SOON, missing).await;
    channel.queue_delete("member-events.work".into(), QueueDeleteOptions::default()).await.unwrap();
    system.until_ready("gateway", 0, SOON).await;
    assert_eq!(system.post(&system.campus, &body).await.status, 200);
}

#[tokio::test]
async fn a_gateway_that_may_only_publish_waits_for_a_worker_to_declare_the_queues() {
    let builder = TestSystem::builder().broker_users().workers(1).without_waiting();
    let system = builder.spawn().await;
    // Take the queues away again; the worker is gone, and the gateway cannot make them.
    system.until_ready("worker", 0, SOON).await;
    system.until_ready("gateway", 0, SOON).await;
    queues_are_in_use(&system).await;
    system.worker(0).terminate(SOON).await.unwrap();
    let channel = system.broker.channel().await;
    for queue in ["member-events.work", "webhook-rejections"] {
        let options = QueueDeleteOptions::default();
        channel.queue_delete(queue.into(), options).await.unwrap();
    }
    system.gateway(0).kill();
    system.gateway(0).start().unwrap();
    let url = format!("{}/readyz", system.admin_url("gateway", 0));
    eventually("the gateway says what is missing", SOON, async || {
        let answer = reqwest::get(&url).await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if text.contains("which a worker declares") { Ok(()) } else { Err(text) }
    })
    .await;
    system.worker(0).start().unwrap();
    system.until_ready("gateway", 0, SOON).await;
    let body = WebhookBody::test(&system.campus.core_church_id);
    assert_eq!(system.post(&system.campus, &body).await.status, 200);
}

#[tokio::test]
async fn no_user_can_do_what_is_not_its_own() {
    let system = TestSystem::builder().broker_users().spawn().await;
    assert!(system.broker.url_as(Role::Reconciler).is_none(), "it has nothing to do there");
    let queues = ["member-events.work", "member-events.dead", "webhook-rejections"];
    for role in [Role::Gateway, Role::Admin] {
        for queue in queues {
            for action in [Action::Get, Action::Consume, Action::Purge, Action::Delete] {
                let channel = system.broker.channel_as(role).await;
                assert_eq!(
                    action.attempt(&channel, queue).await,
                    REFUSED,
                    "{role:?} {action:?} {queue}"
                );
            }
        }
        for action in [Action::Declare, Action::Bind] {
            let channel = system.broker.channel_as(role).await;
            let refused = action.attempt(&channel, "member-events.mine").await;
            assert_eq!(refused, REFUSED, "{role:?} {action:?}");
        }
    }
    // Nobody publishes past the exchanges, and nobody makes anything beside what is ours.
    for role in [Role::Gateway, Role::Admin, Role::Worker] {
        let channel = system.broker.channel_as(role).await;
        let refused = Action::PublishDirectly.attempt(&channel, "member-events.work").await;
        assert_eq!(refused, REFUSED, "{role:?}");
        let channel = system.broker.channel_as(role).await;
        assert_eq!(Action::Declare.attempt(&channel, "others").await, REFUSED, "{role:?}");
    }
    assert_eq!(system.queue_depth("member-events.work").await, Some(0));
}

/// Something a user may try with a queue.
#[derive(Debug, Clone, Copy)]
enum Action {
    Get,
    Consume,
    Purge,
    Delete,
    Declare,
    Bind,
    PublishDirectly,
}

impl Action {
    /// Tries, and answers the code that it was refused with; panics when it was let through.
    async fn attempt(self, channel: &Channel, queue: &str) -> u16 {
        let (name, none) = (queue.into(), FieldTable::default());
        let result = match self {
            Self::Get => channel.basic_get(name, BasicGetOptions::default()).await.map(drop),
            Self::Consume => channel
                .basic_consume(name, "".into(), BasicConsumeOptions::default(), none)
                .await
                .map(drop),
            Self::Purge => channel.queue_purge(name, QueuePurgeOptions::default()).await.map(drop),
            Self::Delete => {
                channel.queue_delete(name, QueueDeleteOptions::default()).await.map(drop)
            }
            Self::Declare => {
                channel.queue_declare(name, QueueDeclareOptions::default(), none).await.map(drop)
            }
            Self::Bind => {
                let (work, exchange) = ("member-events.work".into(), "member-events".into());
                channel.queue_bind(work, exchange, name, QueueBindOptions::default(), none).await
            }
            Self::PublishDirectly => {
                channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
                let options = BasicPublishOptions::default();
                let properties = BasicProperties::default();
                match channel.basic_publish("".into(), name, options, b"x", properties).await {
                    Ok(confirm) => confirm.await.map(drop),
                    Err(error) => Err(error),
                }
            }
        };
        let error = result.expect_err("it is refused");
        match error.kind() {
            ErrorKind::ProtocolError(refusal) => refusal.get_id(),
            other => panic!("{self:?} {queue}: {other:?}"),
        }
    }
}
