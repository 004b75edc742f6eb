//! Honest senders while others misbehave: thousands of idle connections, with TLS and without,
//! headers and bodies that never end, a flood of bad signatures. What honest ones notice, and how
//! much memory it costs.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Args;
use core_sim::{WebhookBody, sign};
use harness::{SIGNATURE_HEADER, TestSystem, WEBHOOK_PATH};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use support::{
    process::{forget_peak_memory, peak_memory},
    servers::DataFolder,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::MissedTickBehavior,
};

use crate::{
    report::{Figure, Report, Table, count},
    samples::{Samples, milliseconds},
};
use tokio_rustls::TlsConnector;

/// How long FaithFlow waits for its first try.
const SENDER_PATIENCE: Duration = Duration::from_secs(2);
/// Between two bytes of a slow sender.
const DRIP: Duration = Duration::from_secs(1);
/// The same of those who trickle.
const TRICKLE: Duration = Duration::from_secs(4);
const COLUMNS: [&str; 6] = ["accepted", "not", "p50 ms", "p99 ms", "max ms", "peak MB"];

/// Who attacks, and who is honest.
#[derive(Debug, Args)]
pub(crate) struct Attack {
    /// Connections that say nothing
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Connections whose headers, or bodies, come a byte a second
    #[arg(long, default_value_t = 1000)]
    slow: usize,
    /// Connections that announce 100,000 bytes and send one every four seconds
    #[arg(long, default_value_t = 4200)]
    trickle: usize,
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
    /// Connects and says nothing, where TLS is spoken no handshake either.
    Idle,
    /// Finishes the handshake, and says nothing after it.
    IdleTls,
    SlowHeaders,
    SlowBody,
    TrickledBody,
    /// Sends as much as may be sent of a head, but for its end.
    LargeHead,
    BadSignatures,
}

#[derive(Clone)]
struct Target {
    address: SocketAddr,
    church: Arc<str>,
    tls: TlsConnector,
    /// Connections opened, or bad webhooks answered.
    blows: Arc<AtomicU64>,
}

/// A gateway, and how honest senders reach it.
struct Place {
    system: TestSystem,
    url: String,
    honest: reqwest::Client,
    tls: TlsConnector,
    _certificate: Option<DataFolder>,
}

pub(crate) async fn measure(attack: &Attack) {
    use Kind::{BadSignatures, Idle, IdleTls, LargeHead, SlowBody, SlowHeaders, TrickledBody};

    let Attack { idle, slow, trickle, flood, .. } = *attack;
    let mut report = Report::new("attackers");
    let title = |with: &str| {
        let Attack { rate, seconds, .. } = attack;
        format!(
            "{rate} honest webhooks a second, each on a new connection{with}, {seconds} s an attack"
        )
    };

    let place = Place::plain().await;
    let mut table = Table::new(title(""), COLUMNS);
    let phases: [(String, &[(Kind, usize)]); 8] = [
        ("nobody else".to_owned(), &[]),
        (format!("{idle} idle connections"), &[(Idle, idle)]),
        (format!("{slow} slow headers"), &[(SlowHeaders, slow)]),
        (format!("{idle} heads of 16 KiB"), &[(LargeHead, idle)]),
        (format!("{slow} slow bodies"), &[(SlowBody, slow)]),
        (format!("{trickle} bodies, a byte in four seconds"), &[(TrickledBody, trickle)]),
        (format!("{flood} floods of bad signatures"), &[(BadSignatures, flood)]),
        (
            "all of them at once".to_owned(),
            &[
                (Idle, idle / 2),
                (SlowHeaders, slow),
                (SlowBody, slow),
                (TrickledBody, trickle),
                (BadSignatures, flood),
            ],
        ),
    ];
    for (name, kinds) in phases {
        table.row(name, place.phase(attack, kinds).await);
    }
    report.add(table);
    drop(place);

    let place = Place::with_tls().await;
    let mut table = Table::new(title(" with TLS"), COLUMNS);
    let phases: [(String, &[(Kind, usize)]); 3] = [
        ("nobody else".to_owned(), &[]),
        (format!("{idle} connections without a handshake"), &[(Idle, idle)]),
        (format!("{idle} idle connections after it"), &[(IdleTls, idle)]),
    ];
    for (name, kinds) in phases {
        table.row(name, place.phase(attack, kinds).await);
    }
    report.add(table);
    report.save();
}

impl Place {
    async fn plain() -> Self {
        let system = TestSystem::builder().own_servers().workers(0).spawn().await;
        let honest = client().build().unwrap();
        let tls = connector(RootCertStore::empty());
        Self { url: system.gateway_url(), system, honest, tls, _certificate: None }
    }

    async fn with_tls() -> Self {
        let folder = DataFolder::temporary().unwrap();
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let mut builder = TestSystem::builder().own_servers().workers(0);
        for (variable, file, text) in [
            ("TLS_CERT_FILE", "certificate.pem", made.cert.pem()),
            ("TLS_KEY_FILE", "key.pem", made.signing_key.serialize_pem()),
        ] {
            let file = folder.join(file);
            std::fs::write(&file, text).unwrap();
            builder = builder.variable(variable, file.to_str().unwrap());
        }
        let system = builder.spawn().await;
        let der: CertificateDer<'_> = made.cert.der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(der.clone()).unwrap();
        let trusted = reqwest::Certificate::from_der(&der).unwrap();
        Self {
            url: system.gateway_url().replace("http://", "https://"),
            system,
            honest: client().tls_certs_only([trusted]).build().unwrap(),
            tls: connector(roots),
            _certificate: Some(folder),
        }
    }

    async fn phase(&self, attack: &Attack, kinds: &[(Kind, usize)]) -> Vec<Figure> {
        let system = &self.system;
        let target = Target {
            address: system.gateway_url().trim_start_matches("http://").parse().unwrap(),
            church: system.campus.core_church_id.as_str().into(),
            tls: self.tls.clone(),
            blows: Arc::default(),
        };
        let gateway = system.gateway(0).process_id().unwrap();
        forget_peak_memory(gateway);
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
        let (answers, refused) = self.post(attack).await;
        let memory = peak_memory(gateway).unwrap_or_default();
        attackers.shutdown().await;
        println!("{kinds:?}: {} blows", target.blows.load(Ordering::Relaxed));
        let [median, high, highest] = answers.quantiles([0.5, 0.99, 1.0]).map(milliseconds);
        let accepted = count(u64::try_from(answers.len()).unwrap_or_default());
        let memory = count(memory) / 1024.0;
        [accepted, count(refused), median, high, highest, memory].map(Figure::from).into()
    }

    /// Posts at a constant rate, whatever the answers' pace.
    async fn post(&self, attack: &Attack) -> (Samples, u64) {
        let (answers, mut answered) = mpsc::unbounded_channel();
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / attack.rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for number in 0..attack.rate * attack.seconds {
            ticks.tick().await;
            let campus = &self.system.campus;
            let member = format!("m-{number}");
            let body = WebhookBody::new("member.updated", &campus.core_church_id, &member);
            let body = body.to_bytes();
            let request = self
                .honest
                .post(format!("{}{WEBHOOK_PATH}", self.url))
                .header(SIGNATURE_HEADER, sign(&campus.secret, &body))
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
}

/// One that opens a connection for each webhook.
fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(SENDER_PATIENCE)
}

fn connector(roots: RootCertStore) -> TlsConnector {
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
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
        Kind::IdleTls => {
            let name = ServerName::try_from("localhost").unwrap();
            let mut stream = target.tls.connect(name, stream).await?;
            let _end = stream.read(&mut answer).await?;
        }
        Kind::LargeHead => {
            let head = format!("POST {WEBHOOK_PATH} HTTP/1.1\r\nX: {}", "x".repeat(16_000));
            stream.write_all(head.as_bytes()).await?;
            let _end = stream.read(&mut answer).await?;
        }
        Kind::SlowHeaders => {
            stream
                .write_all(format!("POST {WEBHOOK_PATH} HTTP/1.1\r\nX-Slow: ").as_bytes())
                .await?;
            drip(&mut stream, DRIP).await?;
        }
        Kind::SlowBody => {
            stream.write_all(head(1_000_000).as_bytes()).await?;
            drip(&mut stream, DRIP).await?;
        }
        Kind::TrickledBody => {
            stream.write_all(head(100_000).as_bytes()).await?;
            drip(&mut stream, TRICKLE).await?;
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
async fn drip(stream: &mut TcpStream, every: Duration) -> std::io::Result<()> {
    let mut answer = [0; 1024];
    loop {
        stream.write_all(b"a").await?;
        if let Ok(read) = tokio::time::timeout(every, stream.read(&mut answer)).await {
            return read.map(drop);
        }
    }
}
