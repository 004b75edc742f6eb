//! Faults, one after another and some at once.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use core_sim::{self, Endpoint, FaultKind};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use harness::proxy::{End, Mode, Proxy};
use rand::{RngExt, rngs::StdRng};
use support::{
    program::Program,
    servers::{RabbitMq, StopMode},
};
use tokio::time::sleep;

use super::{
    fault::{Fault, Kind, Target, Targets},
    test_bed::TestBed,
};

/// More at once would be one long darkness, in which nothing else can go wrong.
const MOST_AT_ONCE: usize = 4;
/// A drain's 25 s (interface §1), and what a busy machine adds.
const DRAIN_WITHIN: Duration = Duration::from_secs(28);
/// How often it is told how things are.
const TELL_EVERY: Duration = Duration::from_secs(15);

/// What was done, and what should not have happened meanwhile.
#[derive(Debug, Default)]
pub(super) struct Injected {
    /// How often each kind struck.
    pub(super) faults: BTreeMap<Kind, usize>,
    /// What broke a promise.
    pub(super) complaints: Vec<String>,
}

/// Injects faults until then, and waits for the end of the last.
pub(super) async fn inject(bed: &TestBed, mut random: StdRng, until: Instant) -> Injected {
    let targets = Targets {
        gateways: bed.system.replicas("gateway"),
        workers: bed.system.replicas("worker"),
        proxies: bed.proxies().len(),
    };
    let mut injected = Injected::default();
    let mut busy: HashSet<Target> = HashSet::new();
    let mut running = FuturesUnordered::new();
    let (begin, mut told) = (Instant::now(), Instant::now());
    while Instant::now() < until || !running.is_empty() {
        let pause = Duration::from_millis(random.random_range(100..2000));
        tokio::select! {
            () = sleep(pause) => {
                let fault = Fault::draw(&mut random, targets);
                let room = running.len() < MOST_AT_ONCE && Instant::now() < until;
                if room && busy.insert(fault.target) {
                    *injected.faults.entry(fault.kind).or_default() += 1;
                    running.push(strike(bed, fault).map(move |result| (fault, result)));
                }
            }
            Some((fault, result)) = running.next() => {
                busy.remove(&fault.target);
                if let Err(error) = result {
                    let complaint = format!("{:?} of {:?}: {error:#}", fault.kind, fault.target);
                    println!("COMPLAINT: {complaint}");
                    injected.complaints.push(complaint);
                }
            }
        }
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            let (accepted, open) = bed.sent();
            let faults: usize = injected.faults.values().sum();
            let now: Vec<_> = busy.iter().collect();
            println!(
                "{:>5} s: {accepted} accepted, {open} not yet; {faults} faults, now {now:?}",
                begin.elapsed().as_secs()
            );
        }
    }
    injected
}

/// One fault, from its begin to its end.
async fn strike(bed: &TestBed, fault: Fault) -> anyhow::Result<()> {
    match fault.target {
        Target::Gateway(index) => program(bed.program("gateway", index), fault).await,
        Target::Worker(index) => program(bed.program("worker", index), fault).await,
        Target::Rabbitmq => {
            // One at a time: a majority of a cluster stays.
            let nodes: Vec<&RabbitMq> = bed.system.servers().nodes().collect();
            let chosen = usize::try_from(fault.lasts.as_micros()).unwrap_or_default() % nodes.len();
            rabbitmq(nodes[chosen], fault).await
        }
        Target::Postgres => {
            let postgres = &bed.system.servers().postgres;
            if fault.kind == Kind::Freeze {
                postgres.freeze();
                sleep(fault.lasts).await;
                postgres.thaw();
                return Ok(());
            }
            postgres.stop(StopMode::Immediate).await;
            sleep(fault.lasts).await;
            postgres.start_again().await
        }
        Target::Core => {
            core(bed, fault).await;
            Ok(())
        }
        Target::Proxy(index) => {
            proxy(bed.proxies()[index].1, fault).await;
            Ok(())
        }
    }
}

async fn program(program: &Program, fault: Fault) -> anyhow::Result<()> {
    if let Some(status) = program.ended() {
        program.start()?;
        anyhow::bail!("{} had ended by itself ({status})", program.name());
    }
    match fault.kind {
        Kind::Freeze => {
            program.freeze();
            sleep(fault.lasts).await;
            program.thaw();
            return Ok(());
        }
        Kind::Remove => {
            let status = program.terminate(DRAIN_WITHIN).await;
            sleep(fault.lasts).await;
            program.start()?;
            let status = status?;
            ensure!(status.success(), "{} drained with {status}", program.name());
        }
        _ => {
            program.kill();
            sleep(fault.lasts).await;
            program.start()?;
        }
    }
    Ok(())
}

async fn rabbitmq(broker: &RabbitMq, fault: Fault) -> anyhow::Result<()> {
    match fault.kind {
        Kind::Freeze => {
            broker.freeze();
            sleep(fault.lasts).await;
            broker.thaw();
            Ok(())
        }
        Kind::Alarm => {
            broker.control(&["set_vm_memory_high_watermark", "0.00001"]).await?;
            sleep(fault.lasts).await;
            let raised = broker.control(&["set_vm_memory_high_watermark", "0.4"]).await;
            raised.context("the alarm stays").map(drop)
        }
        _ => {
            broker.kill();
            sleep(fault.lasts).await;
            broker.start_again().await
        }
    }
}

async fn core(bed: &TestBed, fault: Fault) {
    let core = &bed.system.core;
    let kind = match fault.kind {
        Kind::CoreForgets => return core.revoke_tokens(),
        Kind::CoreErrors if fault.dice < 0.5 => {
            FaultKind::Status { status: 500, retry_after: None }
        }
        Kind::CoreErrors => FaultKind::Status { status: 503, retry_after: Some(1) },
        Kind::CoreLimits => {
            FaultKind::RateLimited { retry_after: Some(2), plain: fault.dice < 0.5 }
        }
        Kind::CoreHangs => FaultKind::Hang,
        Kind::CoreNotFound => FaultKind::Status { status: 404, retry_after: None },
        Kind::CoreTruncates => FaultKind::TruncatedJson,
        Kind::CoreCuts => FaultKind::CutBody,
        _ => FaultKind::Latency { ms: 0, jitter_ms: 1500, stale: true },
    };
    let mut wrong = core_sim::Fault::everywhere(kind).at(Endpoint::Member);
    // Some strike one campus alone, some a part of the requests.
    if fault.dice < 0.4 {
        wrong = wrong.of_church(bed.system.campus.core_church_id.clone());
    } else if fault.dice < 0.7 {
        wrong = wrong.with_rate(fault.dice);
    }
    let number = core.add_fault(wrong);
    sleep(fault.lasts).await;
    core.remove_fault(number);
}

async fn proxy(proxy: &Proxy, fault: Fault) {
    let mode = match fault.kind {
        Kind::Reset => return proxy.reset(),
        Kind::HalfOpen => {
            return proxy.lose(if fault.dice < 0.5 { End::Server } else { End::Client });
        }
        Kind::Latency => Mode::Latency(Duration::from_millis(50).mul_f64(fault.dice)),
        Kind::Pause => Mode::Pause,
        Kind::BlackHole => Mode::BlackHole,
        _ => Mode::Refuse,
    };
    proxy.set(mode);
    sleep(fault.lasts).await;
    proxy.set(Mode::Forward);
}
