//! Honest senders while others take the gateway's places and memory, and give nothing for them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use harness::{TestSystem, WEBHOOK_PATH, eventually};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsConnector;

use super::{
    ANSWER_WITHIN, gateway_alone, metric,
    tls::{Certified, Pair},
    updated,
    wire::{Wire, head, signed},
};

/// So many files that the gateway takes two hundred connections.
const OPEN_FILES: u32 = 264;
/// Half as many again want in, and come again as soon as they are thrown out.
const ATTACKERS: usize = 300;
const HONEST: usize = 15;
const SOON: Duration = Duration::from_mins(1);

/// What an attacker does with its connection.
#[derive(Debug, Clone, Copy)]
enum Attack {
    Silent,
    SlowHead,
    SlowBody,
    /// Gets one answer, and keeps the connection.
    Idle,
    /// Gets its answer early, and withholds the rest of the body.
    Withheld,
}

#[tokio::test]
async fn whoever_takes_all_places_keeps_no_honest_sender_out() {
    let system = gateway_alone().open_files(OPEN_FILES).spawn().await;
    let address = address(&system);
    for attack in
        [Attack::Silent, Attack::SlowHead, Attack::SlowBody, Attack::Idle, Attack::Withheld]
    {
        let attackers = besiege(ATTACKERS, move || async move {
            let stream = TcpStream::connect(address).await?;
            attack.on(stream).await
        });
        until_cut(&system, "crowded", attack).await;
        honest_are_accepted(&system, attack).await;
        drop(attackers);
    }
}

#[tokio::test]
async fn neither_do_those_who_never_finish_their_handshake_or_say_nothing_after_it() {
    let certified = Certified::new();
    let system = certified.set(gateway_alone()).open_files(OPEN_FILES).spawn().await;
    let address = address(&system);
    let connector = connector(certified.pair());
    let silent = besiege(ATTACKERS, move || async move {
        TcpStream::connect(address).await?.read_u8().await.map(drop)
    });
    until_cut(&system, "crowded", "silent").await;
    honest_are_accepted_over_tls(&system, &connector).await;
    drop(silent);

    let before = cut(&system, "crowded").await;
    let agreed = connector.clone();
    let idle = besiege(ATTACKERS, move || {
        let connector = agreed.clone();
        async move { over_tls(&connector, address).await?.read_u8().await.map(drop) }
    });
    eventually("places run short", SOON, async || cut(&system, "crowded").await > before).await;
    honest_are_accepted_over_tls(&system, &connector).await;
    drop(idle);
}

/// Sixteen kilobytes a second: bodies of 100,000 bytes are announced, and a blank comes now and
/// then.
#[tokio::test]
async fn thousands_of_bodies_that_trickle_take_no_more_than_they_hold() {
    const BODIES: usize = 4_200;
    raise_open_files();
    let system = gateway_alone().spawn().await;
    let address = address(&system);
    let attackers = besiege(BODIES, move || async move {
        let mut stream = TcpStream::connect(address).await?;
        let head = format!("{}X-Webhook-Signature: 0\r\n\r\n{{", head(100_000));
        stream.write_all(head.as_bytes()).await?;
        loop {
            if let Ok(read) = timeout(Duration::from_secs(4), stream.read_u8()).await {
                return read.map(drop);
            }
            stream.write_all(b" ").await?;
        }
    });
    let limit = metric(&system, "gateway_body_bytes_limit").await.unwrap();
    eventually("they are all there", SOON, async || {
        metric(&system, "gateway_body_bytes_in_flight").await >= Some(4_200.0 * 4096.0)
    })
    .await;
    // They have sent several pieces each, and doubled what was made for the first.
    for _ in 0..HONEST {
        honest_is_accepted(&system).await;
        sleep(Duration::from_millis(500)).await;
    }
    let held = metric(&system, "gateway_body_bytes_in_flight").await.unwrap();
    assert!(held < limit / 4.0, "{held} of {limit}");
    drop(attackers);
}

/// Large bodies that stop before their last byte fill the memory; small webhooks have a reserve,
/// and large ones get the room of those that have stalled.
#[tokio::test]
async fn bodies_that_stall_give_their_memory_to_those_that_do_not() {
    const LENGTH: usize = 16 * 1024 * 1024;
    let system = gateway_alone().spawn().await;
    let address = address(&system);
    let attackers = besiege(15, move || async move {
        let mut stream = TcpStream::connect(address).await?;
        let head = format!("{}X-Webhook-Signature: 0\r\n\r\n", head(LENGTH));
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&vec![b' '; LENGTH - 1]).await?;
        stream.read_u8().await.map(drop)
    });
    eventually("they hold it all", SOON, async || {
        metric(&system, "gateway_body_bytes_in_flight").await > Some(14.5 * 16_777_216.0)
    })
    .await;
    for _ in 0..HONEST {
        honest_is_accepted(&system).await;
    }
    // With the others it is more than there is.
    let large = updated(&system).with("photo", "A".repeat(16_700_000));
    let (head, body) = signed(&system, &large);
    eventually("a large body is accepted", SOON, async || {
        let mut wire = Wire::connect(&system).await;
        wire.try_send([&head[..], &body].concat()).await.ok();
        wire.answer().await.starts_with("HTTP/1.1 202 ")
    })
    .await;
    drop(attackers);
}

impl Attack {
    /// Goes on until the gateway closes.
    async fn on(self, mut stream: TcpStream) -> std::io::Result<()> {
        match self {
            Self::Silent => stream.read_u8().await.map(drop),
            Self::SlowHead => {
                stream.write_all(format!("POST {WEBHOOK_PATH} HTTP/1.1\r\nX: ").as_bytes()).await?;
                drip(&mut stream).await
            }
            Self::SlowBody => {
                let head = format!("{}X-Webhook-Signature: 0\r\n\r\n{{", head(100_000));
                stream.write_all(head.as_bytes()).await?;
                drip(&mut stream).await
            }
            Self::Idle => {
                stream.write_all(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n").await?;
                to_the_end(stream).await
            }
            Self::Withheld => {
                stream.write_all(format!("{}\r\n{{", head(100_000)).as_bytes()).await?;
                to_the_end(stream).await
            }
        }
    }
}

/// A byte now and then.
async fn drip(stream: &mut TcpStream) -> std::io::Result<()> {
    loop {
        if let Ok(read) = timeout(Duration::from_millis(500), stream.read_u8()).await {
            return read.map(drop);
        }
        stream.write_all(b" ").await?;
    }
}

async fn to_the_end(mut stream: TcpStream) -> std::io::Result<()> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map(drop)
}

/// So many attackers, each on one connection after another, until dropped.
fn besiege<F, A>(attackers: usize, attack: F) -> JoinSet<()>
where
    F: Fn() -> A + Clone + Send + Sync + 'static,
    A: Future<Output = std::io::Result<()>> + Send + 'static,
{
    (0..attackers)
        .map(|_| {
            let attack = attack.clone();
            async move {
                loop {
                    attack().await.ok();
                    sleep(Duration::from_millis(50)).await;
                }
            }
        })
        .collect()
}

async fn honest_are_accepted(system: &TestSystem, attack: Attack) {
    for number in 0..HONEST {
        let took = honest_is_accepted(system).await;
        assert!(took < ANSWER_WITHIN, "{attack:?}: honest webhook {number} took {took:?}");
    }
}

/// Posts a webhook on a connection of its own; from its last byte to the answer.
async fn honest_is_accepted(system: &TestSystem) -> Duration {
    let (head, body) = signed(system, &updated(system));
    let mut wire = Wire::connect(system).await;
    wire.send([head, body].concat()).await;
    let start = Instant::now();
    let answer = wire.answer().await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    system.took_since(start.into_std())
}

async fn honest_are_accepted_over_tls(system: &TestSystem, connector: &TlsConnector) {
    let (head, body) = signed(system, &updated(system));
    for number in 0..HONEST {
        let mut stream = over_tls(connector, address(system)).await.unwrap();
        stream.write_all(&[&head[..], &body].concat()).await.unwrap();
        stream.flush().await.unwrap();
        let start = Instant::now();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 202", "honest webhook {number}");
        let took = system.took_since(start.into_std());
        assert!(took < ANSWER_WITHIN, "{took:?}");
    }
}

fn address(system: &TestSystem) -> SocketAddr {
    system.gateway_url().trim_start_matches("http://").parse().unwrap()
}

fn connector(trusted: &Pair) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn over_tls(
    connector: &TlsConnector,
    address: SocketAddr,
) -> std::io::Result<impl AsyncRead + AsyncWrite + Unpin + use<>> {
    let stream = TcpStream::connect(address).await?;
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
}

async fn cut(system: &TestSystem, reason: &str) -> Option<f64> {
    metric(system, &format!(r#"gateway_connections_cut_total{{reason="{reason}""#)).await
}

/// Waits until the gateway has thrown somebody out since now.
async fn until_cut(system: &TestSystem, reason: &str, attack: impl std::fmt::Debug) {
    let before = cut(system, reason).await;
    eventually("places run short", SOON, async || {
        let now = cut(system, reason).await;
        if now > before { Ok(()) } else { Err(format!("{attack:?}: {now:?} cut off")) }
    })
    .await;
}

/// The attackers are this process's files.
fn raise_open_files() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}
