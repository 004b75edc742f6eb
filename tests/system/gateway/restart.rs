//! A gateway whose public port was passed to it, as systemd does: what is not accepted waits for the next one.

use std::{
    net::{SocketAddr, TcpListener},
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use harness::{Role, TestSystem, eventually};
use nix::{
    fcntl::{FcntlArg, fcntl},
    sys::signal::Signal,
};
use support::program::{Program, binary};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

use super::{
    gateway_alone, updated,
    wire::{Wire, signed},
    work_queue,
};

/// What FaithFlow has for connecting, sending and the answer, together.
const PATIENCE: Duration = Duration::from_secs(2);
/// A gateway that is not ready sooner answers all the same, and must not keep senders waiting for longer. A machine that is so
/// late that a restart takes this long on it cannot show that nobody is refused.
const PROMPT: Duration = Duration::from_millis(1_200);
pub(super) const SOON: Duration = Duration::from_secs(30);
/// Becomes the gateway in the process that the socket is said to be for, as systemd has it: number 3 is the first.
const PASS: &str = r#"exec env LISTEN_FDS=1 LISTEN_PID=$$ "$0" 3<&"$SOCKET""#;

/// A public port that outlives the gateways to which it is passed.
pub(super) struct PublicPort {
    socket: TcpListener,
    /// The socket once more, for children.
    pub(super) inherited: i32,
}

impl PublicPort {
    pub(super) fn open() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let inherited = fcntl(&socket, FcntlArg::F_DUPFD(socket.as_raw_fd() + 1)).unwrap();
        Self { socket, inherited }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// A gateway of this system that is given the port when it is started.
    fn gateway(&self, system: &TestSystem) -> Program {
        Program::new("gateway-passed", "/bin/bash".into(), system.folder().path())
            .arguments(["-c", PASS, binary("gateway").unwrap().to_str().unwrap()])
            .clean_environment()
            .variables(system.variables(Role::Gateway).clone())
            .variables([("SOCKET", self.inherited.to_string())])
    }

    /// Posts a webhook on a connection of its own, within a sender's patience.
    pub(super) async fn post(&self, head: &[u8], body: &[u8]) -> Result<String, String> {
        let posting = async {
            let stream = TcpStream::connect(self.address()).await?;
            let mut wire = Wire::on(stream);
            wire.try_send([head, body].concat()).await?;
            Ok::<_, std::io::Error>(wire.answer().await)
        };
        match timeout(PATIENCE, posting).await {
            Ok(Ok(answer)) => Ok(answer.lines().next().unwrap_or_default().to_owned()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer".to_owned()),
        }
    }
}

async fn until_ready(gateway: &Program) {
    let addresses = gateway.announced(SOON).await.unwrap();
    gateway.ready(addresses.admin, SOON).await.unwrap();
}

/// Sends webhooks at a steady pace until it is told to stop.
pub(super) async fn send(
    port: Arc<PublicPort>,
    webhook: (Vec<u8>, Vec<u8>),
    stop: Arc<AtomicBool>,
) -> Vec<Result<String, String>> {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / 150);
    let mut answers = JoinSet::new();
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let (port, (head, body)) = (Arc::clone(&port), webhook.clone());
        answers.spawn(async move { port.post(&head, &body).await });
    }
    answers.join_all().await
}

/// The answers that a sender takes for a failure.
pub(super) fn lost(answers: &[Result<String, String>]) -> Vec<&Result<String, String>> {
    let is_accepted =
        |answer: &&Result<String, String>| answer.as_ref().is_ok_and(|line| line.contains(" 202 "));
    answers.iter().filter(|answer| !is_accepted(answer)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_restarts_under_load_refuse_nobody() {
    let system = gateway_alone().spawn().await;
    let port = Arc::new(PublicPort::open());
    let gateway = port.gateway(&system);
    gateway.start().unwrap();
    until_ready(&gateway).await;

    let stop = Arc::new(AtomicBool::new(false));
    let webhook = signed(&system, &updated(&system));
    let sending = tokio::spawn(send(Arc::clone(&port), webhook, Arc::clone(&stop)));
    let mut longest = RestartTime::default();
    for _ in 0..10 {
        let begun = Instant::now();
        gateway.terminate(SOON).await.unwrap();
        gateway.start().unwrap();
        until_ready(&gateway).await;
        longest = longest.max(RestartTime::since(begun, &system));
    }
    stop.store(true, Ordering::Relaxed);
    let answers = sending.await.unwrap();
    println!("{} webhooks; the longest restart took {longest:?}", answers.len());
    assert_lost(&answers, longest);
    assert!(work_queue::drain(&system).await.len() >= answers.len() - lost(&answers).len());
}

/// How long restarts took at most, and without what the machine was late meanwhile.
#[derive(Debug, Clone, Copy, Default)]
struct RestartTime {
    all: Duration,
    own: Duration,
}

impl RestartTime {
    fn since(begun: Instant, system: &TestSystem) -> Self {
        Self { all: begun.elapsed(), own: system.took_since(begun) }
    }

    fn max(self, other: Self) -> Self {
        Self { all: self.all.max(other.all), own: self.own.max(other.own) }
    }

    fn is_the_machines(self) -> bool {
        self.all > PROMPT && self.own <= PROMPT
    }
}

/// Nothing is lost by a restart; where the machine made it late, nothing is refused or cut off.
fn assert_lost(answers: &[Result<String, String>], restart: RestartTime) {
    let mut lost = lost(answers);
    if restart.is_the_machines() {
        let is_late = |answer: &Result<String, String>| match answer {
            Ok(line) => line.contains(" 503 "),
            Err(error) => error == "no answer",
        };
        lost.retain(|answer| !is_late(answer));
    }
    assert!(lost.is_empty(), "{} of {}: {lost:?} ({restart:?})", lost.len(), answers.len());
}

#[tokio::test]
async fn whoever_comes_during_the_drain_is_served_and_whoever_comes_after_it_waits() {
    let system = gateway_alone().spawn().await;
    let port = PublicPort::open();
    let gateway = port.gateway(&system);
    gateway.start().unwrap();
    until_ready(&gateway).await;
    let (head, body) = signed(&system, &updated(&system));
    let slow = TcpStream::connect(port.address()).await.unwrap();
    let mut slow = Wire::on(slow);
    // One that the gateway is known to have accepted.
    slow.send([&head[..], &body[..]].concat()).await;
    assert!(slow.answer().await.starts_with("HTTP/1.1 202 "));
    slow.send([&head[..], &body[..20]].concat()).await;

    gateway.signal(Signal::SIGTERM);
    eventually("it drains", SOON, async || gateway.log_tail(50).contains("draining")).await;
    assert_eq!(port.post(&head, &body).await, Ok("HTTP/1.1 202 Accepted".to_owned()));
    slow.send(&body[20..]).await;
    assert!(slow.answer().await.starts_with("HTTP/1.1 202 "));
    assert_eq!(timeout(SOON, gateway.wait()).await.unwrap().unwrap().code(), Some(0));

    // Nobody accepts now.
    let mut early = Wire::on(TcpStream::connect(port.address()).await.unwrap());
    early.send([head, body].concat()).await;
    assert!(!early.has_answer().await);
    let begun = Instant::now();
    gateway.start().unwrap();
    let answer = early.answer().await;
    until_ready(&gateway).await;
    let answers = [Ok(answer.lines().next().unwrap_or_default().to_owned())];
    assert_lost(&answers, RestartTime::since(begun, &system));
    assert!(work_queue::drain(&system).await.len() >= 4 - lost(&answers).len());
}

#[tokio::test]
async fn a_gateway_that_cannot_be_ready_answers_within_a_senders_patience() {
    let system = gateway_alone().spawn().await;
    let port = PublicPort::open();
    let gateway = port.gateway(&system).variables([("AMQP_URL", "amqp://127.0.0.1:1")]);
    gateway.start().unwrap();
    gateway.announced(SOON).await.unwrap();
    let (head, body) = signed(&system, &updated(&system));
    assert_eq!(port.post(&head, &body).await, Ok("HTTP/1.1 503 Service Unavailable".to_owned()));
}

#[tokio::test]
async fn gateways_of_one_machine_may_share_the_port() {
    let system = gateway_alone().spawn().await;
    let port = PublicPort::open();
    let both = [port.gateway(&system), port.gateway(&system)];
    for gateway in &both {
        gateway.start().unwrap();
        until_ready(gateway).await;
    }
    let (head, body) = signed(&system, &updated(&system));
    for gateway in &both {
        gateway.terminate(SOON).await.unwrap();
        assert_eq!(port.post(&head, &body).await, Ok("HTTP/1.1 202 Accepted".to_owned()));
        gateway.start().unwrap();
        until_ready(gateway).await;
    }
}

#[tokio::test]
async fn what_is_passed_and_is_no_listening_socket_is_a_bad_setting() {
    let system = gateway_alone().spawn().await;
    let port = PublicPort::open();
    let client = TcpStream::connect(port.address()).await.unwrap();
    let inherited = fcntl(&client, FcntlArg::F_DUPFD(client.as_raw_fd() + 1)).unwrap();
    let gateway = port.gateway(&system).variables([("SOCKET", inherited.to_string())]);
    gateway.start().unwrap();
    assert_eq!(timeout(SOON, gateway.wait()).await.unwrap().unwrap().code(), Some(2));
    let said = gateway.log_tail(1);
    assert_eq!(
        said.trim(),
        "gateway: LISTEN_FDS: the socket that is passed does not listen; expected one listening TCP socket"
    );
}
