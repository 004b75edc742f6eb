//! How many webhooks a gateway takes in, beside a program that does only what it must, and beside
//! what the broker takes from a publisher.

use std::time::Duration;

use clap::Args;
use harness::{Role, TestSystem};

use crate::{
    bare_queue::{BARE, declare, purge},
    load::{End, Load, Pace},
    plot::{self, Axis, Line},
    publish_limit,
    report::{Figure, Report, Table},
    samples::milliseconds,
    subject::{Cost, Subject},
    webhooks::{Sender, Webhooks},
};

const COLUMNS: [&str; 8] =
    ["accepted/s", "ratio", "p50 ms", "p99 ms", "p99.9 ms", "CPU µs", "broker CPU µs", "peak MB"];

/// What to measure, and how often.
#[derive(Debug, Args)]
pub(crate) struct Intake {
    /// Connections that post as fast as they are answered, a case each
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64, 256, 1024])]
    connections: Vec<usize>,
    /// Rounds; in each, all take turns
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each turn
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Measure the connections alone, not the other bodies, signatures and fixed rates
    #[arg(long)]
    short: bool,
}

/// One kind of load.
struct Case {
    name: String,
    connections: usize,
    pace: Pace,
    padding: usize,
    wrong_every: u64,
}

/// What the rounds of one subject in one case came to.
#[derive(Default)]
struct Figures {
    rate: Figure,
    p50: Figure,
    p99: Figure,
    p999: Figure,
    cpu: Figure,
    broker: Figure,
    memory: Figure,
}

pub(crate) async fn measure(intake: &Intake) {
    let system = TestSystem::builder()
        .own_servers()
        .workers(0)
        // As it runs.
        .variable_of(Role::Gateway, "RUST_LOG", "info")
        .spawn()
        .await;
    let channel = system.broker.channel().await;
    declare(&channel).await;
    let (gateway, bare) = (Subject::gateway(&system), Subject::bare(&system, BARE));
    let member = system.core.member_id(&system.campus.core_church_id, 0).unwrap();
    let sender = Sender { campus: system.campus.clone(), members: vec![member] };

    let mut report = Report::new("intake");
    let mut table = Table::new("Webhooks taken in: median (least–most) of the rounds", COLUMNS);
    let mut plotted = [Line::new("gateway"), Line::new("bare reference")];
    for case in cases(intake) {
        let (mut ours, mut theirs) = (Figures::default(), Figures::default());
        for round in 0..=intake.rounds {
            // Turn and turn about, and the other first in every second round.
            let mut turns = [(&gateway, &mut ours), (&bare, &mut theirs)];
            if round % 2 == 1 {
                turns.reverse();
            }
            for (subject, figures) in turns {
                let webhooks = Webhooks {
                    padding: case.padding,
                    wrong_every: case.wrong_every,
                    ..Webhooks::of(vec![sender.clone()])
                };
                let cost = subject.measure(case.load(subject, webhooks, intake.seconds)).await;
                // The first round warms up.
                if round > 0 {
                    figures.add(&cost);
                }
                if let Some(complaint) = cost.answers.complaint() {
                    println!("{}: {complaint}", case.name);
                }
                purge(&channel).await;
            }
        }
        let ratio = ours.rate.by(&theirs.rate);
        if case.is_plain() {
            let connections = f64::from(u32::try_from(case.connections).unwrap());
            plotted[0].add(connections, &ours.rate);
            plotted[1].add(connections, &theirs.rate);
        }
        table.row(format!("{}: gateway", case.name), ours.columns(Some(ratio)));
        table.row(format!("{}: bare", case.name), theirs.columns(None));
        println!("{} measured", case.name);
    }
    report.add(table);
    let (rounds, seconds) = (intake.rounds, intake.seconds);
    report.add(publish_limit::measure(&system, &channel, rounds, seconds).await);
    plot::lines("intake.svg", "Accepted webhooks a second", &Axis::Cases("connections"), &plotted);
    report.save();
}

fn cases(intake: &Intake) -> Vec<Case> {
    let plain = |connections: &usize| Case {
        name: format!("{connections} connections"),
        connections: *connections,
        pace: Pace::Answered,
        padding: 0,
        wrong_every: 0,
    };
    let mut cases: Vec<Case> = intake.connections.iter().map(plain).collect();
    if !intake.short {
        cases.extend([
            Case { name: "64, 10 kB bodies".to_owned(), padding: 10_000, ..plain(&64) },
            Case { name: "16, 1 MB bodies".to_owned(), padding: 1_000_000, ..plain(&16) },
            Case { name: "64, 5 % bad signatures".to_owned(), wrong_every: 20, ..plain(&64) },
            Case { name: "open loop, 1000/s".to_owned(), pace: Pace::Rate(1000), ..plain(&64) },
            Case { name: "open loop, 5000/s".to_owned(), pace: Pace::Rate(5000), ..plain(&64) },
        ]);
    }
    cases
}

impl Case {
    fn load(&self, subject: &Subject, webhooks: Webhooks, seconds: u64) -> Load {
        Load {
            address: subject.address,
            connections: self.connections,
            pace: self.pace,
            end: End::After(Duration::from_secs(seconds)),
            source: webhooks.source(),
        }
    }

    fn is_plain(&self) -> bool {
        matches!(self.pace, Pace::Answered) && self.padding == 0 && self.wrong_every == 0
    }
}

impl Figures {
    fn add(&mut self, cost: &Cost) {
        let [p50, p99, p999] = cost.answers.accepted.quantiles([0.5, 0.99, 0.999]);
        let [cpu, broker] = cost.each();
        self.rate.add(cost.answers.rate());
        self.p50.add(milliseconds(p50));
        self.p99.add(milliseconds(p99));
        self.p999.add(milliseconds(p999));
        self.cpu.add(cpu);
        self.broker.add(broker);
        self.memory.add(cost.memory());
    }

    fn columns(self, ratio: Option<Figure>) -> [Figure; 8] {
        let ratio = ratio.unwrap_or_default();
        [self.rate, ratio, self.p50, self.p99, self.p999, self.cpu, self.broker, self.memory]
    }
}
