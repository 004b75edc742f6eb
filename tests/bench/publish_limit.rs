//! What the broker takes from a publisher that does nothing else: the limit of every intake. A
//! gateway's message does more than the bare reference's, and the rows between them say which part
//! of it costs how much.

use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};
use harness::TestSystem;
use lapin::{
    BasicProperties, Channel,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable},
};
use support::process::processor_time;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    bare_queue::{BARE, purge},
    report::{Figure, Table, count, per},
    samples::{Samples, milliseconds},
};

/// As many as the gateway has.
const CHANNELS: usize = 4;
const BODY: [u8; 330] = [b'x'; 330];
const COLUMNS: [&str; 4] = ["confirmed/s", "broker CPU µs", "p50 ms", "p99 ms"];

/// How a message is published.
#[derive(Clone)]
struct Kind {
    name: &'static str,
    exchange: &'static str,
    key: &'static str,
    properties: BasicProperties,
}

/// What the rounds of one kind, with so many under way, came to.
#[derive(Default)]
struct Figures {
    rate: Figure,
    broker: Figure,
    p50: Figure,
    p99: Figure,
}

/// Each kind with each number of messages under way, turn and turn about.
pub(crate) async fn measure(
    system: &TestSystem,
    channel: &Channel,
    rounds: usize,
    seconds: u64,
) -> Table {
    let mut table = Table::new(
        "The broker's own limit: messages published and confirmed, over 4 channels",
        COLUMNS,
    );
    let kinds = kinds();
    for under_way in [64, 256, 1024] {
        let mut all: Vec<Figures> = kinds.iter().map(|_| Figures::default()).collect();
        // The first round warms up.
        for round in 0..=rounds {
            for (kind, figures) in kinds.iter().zip(&mut all) {
                let turn = turn(system, kind, under_way, Duration::from_secs(seconds)).await;
                if round > 0 {
                    figures.add(turn);
                }
                purge(channel).await;
            }
        }
        for (kind, figures) in kinds.iter().zip(all) {
            let Figures { rate, broker, p50, p99 } = figures;
            table.row(format!("{under_way} under way: {}", kind.name), [rate, broker, p50, p99]);
        }
    }
    table
}

/// From the reference's message to the gateway's; each adds to the one before.
fn kinds() -> Vec<Kind> {
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let bare = Kind { name: "bare", exchange: "", key: BARE, properties: persistent.clone() };
    let limited = Kind {
        name: "to the work queue, by its exchange",
        exchange: "member-events",
        key: "member-events.work",
        ..bare.clone()
    };
    let named = Kind {
        name: "with id, type and time",
        properties: persistent
            .with_message_id("019ac5e7-6f1c-7f4e-8a51-0f3f8a4b1c2d".into())
            .with_type("member.updated".into())
            .with_timestamp(1_795_800_000),
        ..limited.clone()
    };
    let mut headers = FieldTable::default();
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    headers.insert("traceparent".into(), AMQPValue::LongString(traceparent.into()));
    let traced = Kind {
        name: "with its trace",
        properties: named.properties.clone().with_headers(headers),
        ..limited.clone()
    };
    let ours = Kind {
        name: "with app_id and content_type",
        properties: traced
            .properties
            .clone()
            .with_content_type("application/json".into())
            .with_app_id("faithtracker".into()),
        ..limited.clone()
    };
    vec![bare, limited, named, traced, ours]
}

/// One turn: confirmed a second, CPU of the broker a message, and how long each took.
async fn turn(
    system: &TestSystem,
    kind: &Kind,
    under_way: usize,
    duration: Duration,
) -> (f64, f64, Samples) {
    let broker = system.servers().rabbitmq.process_id().unwrap();
    let before = processor_time(broker);
    let begin = Instant::now();
    let mut lanes = JoinSet::new();
    for _ in 0..CHANNELS {
        let channel = system.broker.channel().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        lanes.spawn(publish_until(begin + duration, channel, kind.clone(), under_way / CHANNELS));
    }
    let mut samples = Samples::default();
    while let Some(lane) = lanes.join_next().await {
        samples.append(lane.unwrap());
    }
    let confirmed = u64::try_from(samples.len()).unwrap();
    let took = begin.elapsed().as_secs_f64();
    let spent = processor_time(broker).saturating_sub(before).as_secs_f64();
    (count(confirmed) / took, spent * per(confirmed), samples)
}

async fn publish_until(end: Instant, channel: Channel, kind: Kind, under_way: usize) -> Samples {
    let mut samples = Samples::default();
    let mut confirms = FuturesUnordered::new();
    while Instant::now() < end {
        while confirms.len() < under_way {
            let begin = Instant::now();
            let options = BasicPublishOptions::default();
            let (exchange, key) = (kind.exchange.into(), kind.key.into());
            let confirm = channel
                .basic_publish(exchange, key, options, &BODY, kind.properties.clone())
                .await
                .unwrap();
            confirms.push(async move { confirm.await.map(|_| begin.elapsed()) });
        }
        samples.add(confirms.next().await.unwrap().unwrap());
    }
    while let Some(confirmed) = confirms.next().await {
        samples.add(confirmed.unwrap());
    }
    samples
}

impl Figures {
    fn add(&mut self, (rate, broker, samples): (f64, f64, Samples)) {
        let [p50, p99] = samples.quantiles([0.5, 0.99]);
        self.rate.add(rate);
        self.broker.add(broker);
        self.p50.add(milliseconds(p50));
        self.p99.add(milliseconds(p99));
    }
}
