//! What no implementation can be faster than: the round trips that the guarantee consists of, each
//! alone on idle servers.

use std::time::Instant;

use core_sim::{Core, Options};
use futures_util::StreamExt;
use harness::TestSystem;
use lapin::{
    BasicProperties, Channel, Consumer,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use serde_json::{Value, json};

use crate::{
    report::{Figure, Table},
    samples::{Samples, milliseconds},
};

const ROUNDS: u64 = 500;
const QUEUE: &str = "bench.floor";

/// The round trips, in milliseconds.
pub(crate) async fn measure(system: &TestSystem) -> Table {
    let mut table = Table::new(
        "One round trip after another, nothing else under way",
        ["p50 ms", "p99", "max"],
    );
    let mut sum = 0.0;
    for (name, samples) in [
        ("publish, confirm, deliver", through_queue(system).await),
        ("GET of one member", fetches(system).await),
        ("commit of one row", commits(system).await),
    ] {
        let [median, p99, max] = samples.quantiles([0.5, 0.99, 1.0]).map(milliseconds);
        sum += median;
        table.row(name, [median, p99, max].map(Figure::from));
    }
    table.row("sum of the medians", [sum.into(), Figure::default(), Figure::default()]);
    table
}

/// A persistent message into a quorum queue and out again.
async fn through_queue(system: &TestSystem) -> Samples {
    let channel = system.broker.channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(QUEUE.into(), options, arguments).await.unwrap();
    let mut consumer = consume(&channel).await;
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let properties = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        channel
            .basic_publish("".into(), QUEUE.into(), options, &[b'x'; 300], properties)
            .await
            .unwrap()
            .await
            .unwrap();
        let delivery = consumer.next().await.unwrap().unwrap();
        samples.add(begin.elapsed());
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    samples
}

async fn consume(channel: &Channel) -> Consumer {
    let options = BasicConsumeOptions::default();
    channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await.unwrap()
}

async fn fetches(system: &TestSystem) -> Samples {
    let core: &Core = &system.core;
    let base = format!("{}/api", system.core.base_url());
    let account = Options::default().churches.swap_remove(0);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let login = json!({"email": account.email, "password": account.password});
    let answer: Value = client
        .post(format!("{base}/auth/login"))
        .json(&login)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let token = answer["access_token"].as_str().unwrap().to_owned();
    let mut samples = Samples::default();
    for row in 0..ROUNDS {
        let member = core.member_id(&system.campus.core_church_id, row).unwrap();
        let begin = Instant::now();
        let request = client.get(format!("{base}/members/{member}")).bearer_auth(&token);
        request.send().await.unwrap().bytes().await.unwrap();
        samples.add(begin.elapsed());
    }
    samples
}

async fn commits(system: &TestSystem) -> Samples {
    let client = system.database.client();
    client.batch_execute("CREATE TABLE bench_floor (n bigint)").await.unwrap();
    let statement = client.prepare("INSERT INTO bench_floor VALUES ($1)").await.unwrap();
    let mut samples = Samples::default();
    for round in 0..ROUNDS {
        let begin = Instant::now();
        client.execute(&statement, &[&i64::try_from(round).unwrap()]).await.unwrap();
        samples.add(begin.elapsed());
    }
    samples
}
