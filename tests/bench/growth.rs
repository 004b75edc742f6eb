//! What an event costs while the work grows: with more members, and with a longer backlog before it.

use std::time::Duration;

use clap::Args;
use core_sim::Webhook;
use harness::{Role, TestSystem, eventually};
use lapin::options::QueuePurgeOptions;
use rand::seq::SliceRandom;
use serde_json::json;
use support::process::{forget_peak_memory, peak_memory, processor_time};
use tokio::time::Instant;

use crate::{
    churches::{Churches, make_due},
    drain::queue::{WORK, fill, until_done},
    load::{End, Load, Pace},
    report::{Figure, Report, Table, count, per},
    subject::Subject,
    webhooks::Webhooks,
};

const CONNECTIONS: usize = 64;
/// RabbitMQ rests when it takes less than a tenth of a core for so long.
const REST: Duration = Duration::from_secs(2);
const COLUMNS: [&str; 6] =
    ["events/s", "own CPU µs", "Postgres CPU µs", "broker CPU µs", "cost", "peak MB"];

/// How far the work grows.
#[derive(Debug, Args)]
pub(crate) struct Growth {
    /// Members, all campuses together, a case each; all are imported before
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    members: Vec<u64>,
    /// Events that wait already, a case each, with the most members
    #[arg(long, value_delimiter = ',', default_value = "0,100000,1000000")]
    backlog: Vec<u64>,
    /// Events that are posted, and as many that are drained, in each turn
    #[arg(long, default_value_t = 50_000)]
    events: u64,
    /// Campuses
    #[arg(long, default_value_t = 20)]
    campuses: usize,
    /// Rounds; in each, all cases take turns
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// A system whose members are in Postgres already.
struct TestBed {
    system: TestSystem,
    webhooks: Webhooks,
}

/// What each event of one turn took.
struct Spent {
    rate: f64,
    /// Microseconds of processor time.
    own: f64,
    postgres: f64,
    broker: f64,
    /// Megabytes, of the program.
    memory: f64,
}

/// The turns of one case.
#[derive(Default)]
struct Turns {
    intake: Vec<Spent>,
    drain: Vec<Spent>,
}

pub(crate) async fn measure(growth: &Growth) {
    let mut beds = Vec::new();
    for members in &growth.members {
        println!("importing {members} members of {} campuses", growth.campuses);
        beds.push(TestBed::new(growth.campuses, *members).await);
    }
    let mut report = Report::new("growth");
    let name = |members: &u64| format!("{members} members");
    let cases = beds.iter().zip(&growth.members);
    let cases = cases.map(|(bed, members)| (bed, 0, name(members))).collect();
    report.add(in_turns(growth, "Events while members become more".to_owned(), cases).await);

    // The smaller systems would only take the machine's memory from the broker.
    let largest = beds.pop().unwrap();
    drop(beds);
    let cases =
        growth.backlog.iter().map(|backlog| (&largest, *backlog, format!("{backlog} waiting")));
    let most = name(growth.members.last().unwrap());
    let title = format!("Events while others wait already, {most}");
    report.add(in_turns(growth, title, cases.collect()).await);
    report.save();
}

/// Measures beds with so many events waiting, turn and turn about.
async fn in_turns(growth: &Growth, title: String, cases: Vec<(&TestBed, u64, String)>) -> Table {
    let mut all: Vec<Turns> = cases.iter().map(|_| Turns::default()).collect();
    for round in 0..growth.rounds {
        for ((bed, backlog, name), turns) in cases.iter().zip(&mut all) {
            let (intake, drain) = bed.turn(round, growth.events, *backlog).await;
            println!("{name}: {:.0}/s taken, {:.0}/s committed", intake.rate, drain.rate);
            turns.intake.push(intake);
            turns.drain.push(drain);
        }
    }
    let mut table = Table::new(title, COLUMNS);
    for (way, of) in [
        ("intake", (|turns| &turns.intake) as fn(&Turns) -> &Vec<Spent>),
        ("drain", |turns| &turns.drain),
    ] {
        let Some(first) = all.first().map(of) else { continue };
        for ((_, _, name), turns) in cases.iter().zip(&all) {
            table.row(format!("{name}: {way}"), columns(of(turns), first));
        }
    }
    table
}

/// The cost is all processor time, as a multiple of the first case's in the same round.
fn columns(turns: &[Spent], first: &[Spent]) -> [Figure; COLUMNS.len()] {
    let of = |what: fn(&Spent) -> f64| Figure::of(turns.iter().map(what));
    let cost = of(Spent::cost).by(&Figure::of(first.iter().map(Spent::cost)));
    [
        of(|spent| spent.rate),
        of(|spent| spent.own),
        of(|spent| spent.postgres),
        of(|spent| spent.broker),
        cost,
        of(|spent| spent.memory),
    ]
}

impl Spent {
    fn cost(&self) -> f64 {
        self.own + self.postgres + self.broker
    }
}

impl TestBed {
    async fn new(campuses: usize, members: u64) -> Self {
        let builder = TestSystem::builder()
            .workers(1)
            .variable_of(Role::Gateway, "RUST_LOG", "info")
            .variable_of(Role::Worker, "RUST_LOG", "info");
        let (system, mut senders) = Churches { campuses, members }.spawn(builder).await;
        system.worker(0).terminate(Duration::from_secs(30)).await.unwrap();
        make_due(&system).await;
        system.reconcile(&["--once"]).await.success();
        // Neighbours in the table are no neighbours in time.
        for sender in &mut senders {
            sender.members.shuffle(&mut rand::rng());
        }
        Self { system, webhooks: Webhooks::of(senders) }
    }

    /// Posts events behind those that wait, and has the first of all drained.
    async fn turn(&self, round: usize, events: u64, backlog: u64) -> (Spent, Spent) {
        self.settle().await;
        self.change(round, events);
        fill(&self.system, &self.webhooks.again(), backlog).await;
        self.until_broker_rests().await;
        let intake = self.post(events).await;
        self.until_broker_rests().await;
        let drain = self.drain(events).await;
        let channel = self.system.broker.channel().await;
        channel.queue_purge(WORK.into(), QueuePurgeOptions::default()).await.unwrap();
        (intake, drain)
    }

    /// What Postgres does by itself in the course of a day is not to happen in a turn.
    async fn settle(&self) {
        for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
            self.system.database.client().batch_execute(statement).await.unwrap();
        }
    }

    /// RabbitMQ writes a queue's segments long after it has confirmed its messages: the turn does
    /// not pay for what was filled in before.
    async fn until_broker_rests(&self) {
        let broker = self.system.servers().rabbitmq.process_id().unwrap();
        eventually("RabbitMQ rests", Duration::from_mins(3), async || {
            let before = processor_time(broker);
            tokio::time::sleep(REST).await;
            let spent = processor_time(broker).saturating_sub(before);
            if spent < REST / 10 { Ok(()) } else { Err(format!("{spent:?} in {REST:?}")) }
        })
        .await;
    }

    /// Gives the members something to be synchronised.
    fn change(&self, round: usize, events: u64) {
        for number in 0..events {
            let (_, member) = self.webhooks.about(number);
            let name = json!({"full_name": format!("Renamed {round} {number}")});
            self.system.core.change(member, name, Webhook::Silent).unwrap();
        }
    }

    async fn post(&self, events: u64) -> Spent {
        let gateway = Subject::gateway(&self.system);
        let load = Load {
            address: gateway.address,
            connections: CONNECTIONS,
            pace: Pace::Answered,
            end: End::Webhooks(events),
            source: self.webhooks.again().source(),
        };
        let cost = gateway.measure(load).await;
        assert_eq!(cost.answers.complaint(), None);
        let [own, broker] = cost.each();
        Spent { rate: cost.answers.rate(), own, postgres: 0.0, broker, memory: cost.memory() }
    }

    async fn drain(&self, events: u64) -> Spent {
        let servers = self.system.servers();
        let processes =
            [servers.postgres.process_id().unwrap(), servers.rabbitmq.process_id().unwrap()];
        let before = processes.map(processor_time);
        let begin = Instant::now();
        let worker = self.system.worker(0);
        worker.start().unwrap();
        self.system.until_ready("worker", 0, Duration::from_secs(30)).await;
        let process = worker.process_id().unwrap();
        forget_peak_memory(process);
        until_done(&self.system, 1, events, begin).await;
        let took = begin.elapsed().as_secs_f64();
        let each = |time: Duration| time.as_secs_f64() * per(events);
        let spent = Spent {
            rate: count(events) / took,
            own: each(processor_time(process)),
            postgres: each(processor_time(processes[0]).saturating_sub(before[0])),
            broker: each(processor_time(processes[1]).saturating_sub(before[1])),
            memory: count(peak_memory(process).unwrap_or_default()) / 1024.0,
        };
        worker.terminate(Duration::from_secs(30)).await.unwrap();
        spent
    }
}
