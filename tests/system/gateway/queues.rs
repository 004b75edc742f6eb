//! Queues that are deleted, wrong or full while webhooks come, users without rights, brokers that
//! say nothing: each 202 is in a durable quorum queue, and what `/readyz` says is steady.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use harness::{
    proxy::Mode,
    {Role, TestSystem, eventually},
};
use lapin::{
    options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
};
use queue::{EXCHANGE, UNROUTED, WORK};
use serde_json::Value;
use support::servers::Management;
use tokio::{net::TcpListener, time::Instant};

use super::{assert_unavailable, gateway_alone, updated, work_queue};

const SOON: Duration = Duration::from_secs(30);

async fn readiness(system: &TestSystem) -> (u16, String) {
    let url = format!("{}/readyz", system.admin_url("gateway", 0));
    // A gateway that has just been started may not listen yet.
    match reqwest::get(url).await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap()),
        Err(error) => (0, error.to_string()),
    }
}

async fn not_ready(system: &TestSystem, reason: &str) {
    eventually(reason, SOON, async || {
        let (status, text) = readiness(system).await;
        if status == 503 && text.contains(reason) { Ok(()) } else { Err(text) }
    })
    .await;
}

/// What `/readyz` has said one after the other while `work` was done, each once in a row.
async fn readiness_during(system: &TestSystem, work: impl Future<Output = ()>) -> Vec<String> {
    let done = AtomicBool::new(false);
    let watch = async {
        let mut said: Vec<String> = Vec::new();
        while !done.load(Ordering::SeqCst) {
            let (_, text) = readiness(system).await;
            if said.last() != Some(&text) {
                said.push(text);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        said
    };
    let work = async {
        work.await;
        done.store(true, Ordering::SeqCst);
    };
    tokio::join!(watch, work).0
}

/// Posts for so long, and answers how many were accepted.
async fn post_for(system: &TestSystem, duration: Duration) -> usize {
    let (end, mut accepted) = (Instant::now() + duration, 0);
    while Instant::now() < end {
        let answer = system.post(&system.campus, &updated(system)).await;
        match answer.status {
            202 => accepted += 1,
            _ => assert_unavailable(&answer),
        }
    }
    accepted
}

#[tokio::test]
async fn what_is_accepted_once_the_queues_are_deleted_is_in_new_ones() {
    let system = gateway_alone().spawn().await;
    let channel = system.broker.channel().await;
    for _ in 0..3 {
        let (deleted, done) = (AtomicBool::new(false), AtomicBool::new(false));
        // Webhooks come all the time. What the queues held when they were deleted is gone with them.
        let sender = async || {
            let mut accepted = Vec::new();
            while !done.load(Ordering::SeqCst) {
                let counts = deleted.load(Ordering::SeqCst);
                let answer = system.post(&system.campus, &updated(&system)).await;
                match answer.status {
                    202 if counts => accepted.push(answer.event_id()),
                    202 => {}
                    _ => assert_unavailable(&answer),
                }
            }
            accepted
        };
        let delete = async {
            for queue in [UNROUTED, WORK] {
                channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
            }
            deleted.store(true, Ordering::SeqCst);
            accepted_again(&system).await;
            done.store(true, Ordering::SeqCst);
        };
        let (one, two, three, ()) = tokio::join!(sender(), sender(), sender(), delete);
        let mut kept = Vec::new();
        for queue in [WORK, UNROUTED] {
            let options = BasicGetOptions { no_ack: true };
            while let Some(message) = channel.basic_get(queue.into(), options).await.unwrap() {
                let event: Value = serde_json::from_slice(&message.data).unwrap();
                kept.push(event["event_id"].as_str().unwrap().to_owned());
            }
        }
        for event in [one, two, three].concat() {
            assert!(kept.contains(&event), "{event} was accepted, and is in no queue");
        }
        system.until_ready("gateway", 0, SOON).await;
    }
}

/// Waits until the work queue has taken something. RabbitMQ 3.10 loses all its dead-lettering when a queue with it is deleted
/// before its worker has begun, in every virtual host and until it is started again.
async fn in_use(system: &TestSystem) {
    accepted_again(system).await;
}

async fn accepted_again(system: &TestSystem) {
    eventually("an event is accepted again", SOON, async || {
        system.post(&system.campus, &updated(system)).await.status == 202
    })
    .await;
}

#[tokio::test]
async fn queues_that_are_gone_are_told_and_made_anew_only_where_that_is_allowed() {
    let system = TestSystem::builder().broker_users().spawn().await;
    in_use(&system).await;
    system.worker(0).terminate(SOON).await.unwrap();
    let channel = system.broker.channel().await;
    for queue in [WORK, UNROUTED] {
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }
    // Not one event is accepted from here on, from the very first.
    for _ in 0..20 {
        assert_unavailable(&system.post(&system.campus, &updated(&system)).await);
    }
    not_ready(&system, "which a worker declares").await;
    let said = readiness_during(&system, async {
        assert_eq!(post_for(&system, Duration::from_secs(3)).await, 0);
    })
    .await;
    assert_eq!(said.len(), 1, "{said:?}");
    system.worker(0).start().unwrap();
    system.until_ready("gateway", 0, SOON).await;
}

#[tokio::test]
async fn a_work_queue_that_is_not_durable_and_replicated_is_not_used() {
    let quorum = ("x-queue-type", AMQPValue::LongString("quorum".into()));
    let five = ("x-max-length", AMQPValue::LongInt(5));
    for (kind, durable, arguments) in [
        ("classic", true, vec![]),
        ("transient", false, vec![]),
        ("short", true, vec![five.clone()]),
        ("drops its head", true, vec![quorum, five]),
    ] {
        let system = gateway_alone().spawn().await;
        in_use(&system).await;
        system.gateway(0).terminate(SOON).await.unwrap();
        let channel = system.broker.channel().await;
        channel.queue_delete(WORK.into(), QueueDeleteOptions::default()).await.unwrap();
        let options = QueueDeclareOptions { durable, ..Default::default() };
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            table.insert(name.into(), value);
        }
        channel.queue_declare(WORK.into(), options, table).await.unwrap();
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(WORK.into(), EXCHANGE.into(), WORK.into(), options, none).await.unwrap();
        system.gateway(0).start().unwrap();
        not_ready(&system, "inequivalent arg").await;
        let (_, reason) = readiness(&system).await;
        assert!(reason.contains(WORK), "{kind}: {reason}");
        assert_unavailable(&system.post(&system.campus, &updated(&system)).await);
        channel.queue_delete(WORK.into(), QueueDeleteOptions::default()).await.unwrap();
        system.until_ready("gateway", 0, SOON).await;
    }
}

#[tokio::test]
async fn what_fits_into_the_deadline_is_taken() {
    let system = gateway_alone().spawn().await;
    // More at once than may be under way and wait for it.
    let posts = (0..6_000).map(|_| async { system.post(&system.campus, &updated(&system)).await });
    let answers = join_all(posts).await;
    let at_once = answers
        .iter()
        .filter(|answer| answer.status != 202 && answer.took < Duration::from_secs(1))
        .count();
    assert_eq!(at_once, 0, "nothing is refused that could have waited");
}

#[tokio::test]
async fn without_the_right_to_publish_one_reason_is_said_steadily() {
    let system = TestSystem::builder().broker_users().spawn().await;
    let url = system.broker.url_as(Role::Gateway).unwrap();
    let user = url.split(['/', ':']).nth(3).unwrap().to_owned();
    let management = Management::new(system.broker.management_url());
    let rights = ["^$", r"^member-events\.declared$", "^$"].map(str::to_owned);
    management.permit(system.broker.vhost(), &user, &rights).await.unwrap();
    eventually("the right is gone", SOON, async || {
        let answer = system.post(&system.campus, &updated(&system)).await;
        if answer.status == 503 { Ok(()) } else { Err(answer.text) }
    })
    .await;
    not_ready(&system, "ACCESS_REFUSED").await;
    let said = readiness_during(&system, async {
        assert_eq!(post_for(&system, Duration::from_secs(8)).await, 0);
    })
    .await;
    assert!(said.len() <= 2 && said.iter().all(|text| text.contains("ACCESS_REFUSED")), "{said:?}");
    let log = std::fs::read_to_string(system.gateway(0).log()).unwrap();
    let lost = log.lines().filter(|line| line.contains("ACCESS_REFUSED")).count();
    assert!(lost < 30, "{lost} lines");
    let rights = ["^$", ".*", "^$"].map(str::to_owned);
    management.permit(system.broker.vhost(), &user, &rights).await.unwrap();
    system.until_ready("gateway", 0, SOON).await;
}

#[tokio::test]
async fn a_full_queue_is_told_steadily_until_there_is_room() {
    let system = gateway_alone().variable("QUEUE_MAX_LENGTH", "5").spawn().await;
    let said = readiness_during(&system, async {
        post_for(&system, Duration::from_secs(15)).await;
    })
    .await;
    // Ready, and then full.
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[1].contains("refuses every message"), "{said:?}");
    // Without another webhook.
    work_queue::drain(&system).await;
    system.until_ready("gateway", 0, SOON).await;
}

#[tokio::test]
async fn a_broker_that_says_nothing_is_noticed_before_the_next_webhook() {
    let system = gateway_alone().proxied().spawn().await;
    let way = &system.proxies().gateway_to_rabbitmq;
    way.set(Mode::Pause);
    let since = Instant::now();
    not_ready(&system, "does not answer").await;
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    way.set(Mode::Forward);
    system.until_ready("gateway", 0, SOON).await;
    assert_eq!(system.post(&system.campus, &updated(&system)).await.status, 202);
}

#[tokio::test]
async fn nodes_that_hang_do_not_keep_a_gateway_from_the_one_that_answers() {
    let system = gateway_alone().spawn().await;
    // They accept, and say nothing.
    let mut hung = Vec::new();
    let mut urls = Vec::new();
    for _ in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        urls.push(format!("amqp://guest:guest@127.0.0.1:{port}/hung"));
        hung.push(listener);
    }
    urls.push(system.variables(Role::Gateway)["AMQP_URL"].clone());
    let mut variables = system.variables(Role::Gateway).clone();
    variables.insert("AMQP_URL".to_owned(), urls.join(","));
    let broker = queue::Broker::new(
        queue::AmqpConfig::from_settings(&runtime::Settings::from_pairs(
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        ))
        .unwrap(),
        "test",
    );
    for within in [Duration::from_secs(5), Duration::from_secs(3)] {
        let since = Instant::now();
        let connection = broker.connect().await.unwrap();
        assert!(since.elapsed() < within, "{:?}", since.elapsed());
        connection.close(200, "done".into()).await.unwrap();
    }
}
