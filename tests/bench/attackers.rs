//! Honest senders while others misbehave: thousands of idle connections, headers and bodies that
//! never end, a flood of bad signatures. What honest ones notice, and how much memory it costs.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Args;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::MissedTickBehavior,
};

use crate::samples::Samples;
use tests::{
    core_sim::{WebhookBody, sign},
    harness::{SIGNATURE_HEADER, TestSystem, WEBHOOK_PATH},
    process::resident_memory,
};

/// FaithFlow's patience with its first try.
const SENDER_PATIENCE: Duration = Duration::from_secs(2);
/// Between two bytes of a slow sender.
const DRIP: Duration = Duration::from_secs(1);

/// Who attacks, and who is honest.
#[derive(Debug, Args)]
pub(crate) struct Attack {
    /// Connections that say nothing
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Connections whose headers, or bodies, come a byte a second
    #[arg(long, default_value_t = 1000)]
    slow: usize,
    /// Connections that post bad signatures as fast as they are answered
    #[arg(long, default_value_t = 32)]
    flood: usize,
    /// Honest webhooks a second, each on a connection of its own
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// For how long each attack lasts, in seconds
    #[arg(long, default_value_t = 15)]
    seconds: u32,
}

/// One way to attack.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Idle,
    SlowHeaders,
    SlowBody,
    BadSignatures,
}

#[derive(Clone)]
struct Target {
    address: SocketAddr,
    church: Arc<str>,
    /// Connections opened, or bad webhooks answered.
    blows: Arc<AtomicU64>,
}

pub(crate) async fn measure(attack: &Attack) {
    use Kind::{BadSignatures, Idle, SlowBody, SlowHeaders};

    let system = TestSystem::builder().own_servers().workers(0).spawn().await;
    println!(
        "{} honest webhooks a second, each on a new connection, {} s with each attack\n",
        attack.rate, attack.seconds
    );
    println!("{:38} {:>8} {:>7} {:>61} {:>10}", "", "accepted", "not", "POST to answer", "gateway");
    let phases: [(String, &[(Kind, usize)]); 6] = [
        ("nobody else".to_owned(), &[]),
        (format!("{} idle connections", attack.idle), &[(Idle, attack.idle)]),
        (format!("{} slow headers", attack.slow), &[(SlowHeaders, attack.slow)]),
        (format!("{} slow bodies", attack.slow), &[(SlowBody, attack.slow)]),
        (format!("{} floods of bad signatures", attack.flood), &[(BadSignatures, attack.flood)]),
        (
            "all of them at once".to_owned(),
            &[
                (Idle, attack.idle / 2),
                (SlowHeaders, attack.slow),
                (SlowBody, attack.slow),
                (BadSignatures, attack.flood),
            ],
        ),
    ];
    for (name, kinds) in phases {
        phase(&system, attack, &name, kinds).await;
    }
}

async fn phase(system: &TestSystem, attack: &Attack, name: &str, kinds: &[(Kind, usize)]) {
    let url = system.gateway_url();
    let target = Target {
        address: url.trim_start_matches("http://").parse().unwrap(),
        church: system.campus.core_church_id.as_str().into(),
        blows: Arc::default(),
    };
    let mut attackers = JoinSet::new();
    for (kind, number) in kinds {
        for _ in 0..*number {
            let (kind, target) = (*kind, target.clone());
            attackers.spawn(async move {
                loop {
                    // Whoever is thrown out comes again, but not in the same instant.
                    blow(kind, &target).await.ok();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
        }
    }
    let (answers, refused) = honest(system, attack).await;
    let memory = system.gateway(0).process_id().and_then(resident_memory).unwrap_or_default();
    attackers.shutdown().await;
    let blows = target.blows.load(Ordering::Relaxed);
    let blows = if kinds.is_empty() { String::new() } else { format!(", {blows} blows") };
    println!(
        "{:38} {:>8} {refused:>7}   {answers} {:>7} MB",
        format!("{name}{blows}"),
        answers.len(),
        memory / 1024,
    );
}

/// One attacker's connection, until it is closed.
async fn blow(kind: Kind, target: &Target) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(target.address).await?;
    let body = format!(
        r#"{{"event_type":"member.updated","church_id":"{}","member_id":"m-1"}}"#,
        target.church
    );
    let head = |length: usize| {
        format!(
            "POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: gateway\r\n{SIGNATURE_HEADER}: {}\r\nContent-Length: {length}\r\n\r\n",
            "0".repeat(64)
        )
    };
    if !matches!(kind, Kind::BadSignatures) {
        target.blows.fetch_add(1, Ordering::Relaxed);
    }
    let mut answer = [0; 1024];
    match kind {
        Kind::Idle => {
            // Nothing is said, so what comes is the end.
            let _end = stream.read(&mut answer).await?;
        }
        Kind::SlowHeaders => {
            stream
                .write_all(format!("POST {WEBHOOK_PATH} HTTP/1.1\r\nX-Slow: ").as_bytes())
                .await?;
            drip(&mut stream).await?;
        }
        Kind::SlowBody => {
            stream.write_all(head(1_000_000).as_bytes()).await?;
            drip(&mut stream).await?;
        }
        Kind::BadSignatures => loop {
            stream.write_all(format!("{}{body}", head(body.len())).as_bytes()).await?;
            if stream.read(&mut answer).await? == 0 {
                return Ok(());
            }
            target.blows.fetch_add(1, Ordering::Relaxed);
        },
    }
    Ok(())
}

/// A byte now and then, until the other side has enough.
async fn drip(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut answer = [0; 1024];
    loop {
        stream.write_all(b"a").await?;
        if let Ok(read) = tokio::time::timeout(DRIP, stream.read(&mut answer)).await {
            return read.map(drop);
        }
    }
}

/// Posts at a constant rate, whatever the answers' pace.
async fn honest(system: &TestSystem, attack: &Attack) -> (Samples, usize) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(SENDER_PATIENCE)
        .build()
        .unwrap();
    let (answers, mut answered) = mpsc::unbounded_channel();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / attack.rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..attack.rate * attack.seconds {
        ticks.tick().await;
        let church = &system.campus.core_church_id;
        let body = WebhookBody::new("member.updated", church, &format!("m-{number}")).to_bytes();
        let request = client
            .post(format!("{}{WEBHOOK_PATH}", system.gateway_url()))
            .header(SIGNATURE_HEADER, sign(&system.campus.secret, &body))
            .body(body);
        let answers = answers.clone();
        tokio::spawn(async move {
            let begin = Instant::now();
            let accepted = request.send().await.is_ok_and(|response| response.status() == 202);
            answers.send(accepted.then(|| begin.elapsed())).ok();
        });
    }
    drop(answers);
    let (mut samples, mut refused) = (Samples::default(), 0);
    while let Some(answer) = answered.recv().await {
        match answer {
            Some(took) => samples.add(took),
            None => refused += 1,
        }
    }
    (samples, refused)
}
