//! What the two ends of a proxied connection notice of each order.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{End, Mode, Proxy, Scope};

/// For what must come.
const SOON: Duration = Duration::from_secs(30);
/// For what must not come.
const A_WHILE: Duration = Duration::from_millis(200);

/// A listener behind a proxy.
struct Setting {
    proxy: Proxy,
    listener: TcpListener,
}

impl Setting {
    async fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Proxy::to(listener.local_addr().unwrap()).await.unwrap();
        Self { proxy, listener }
    }

    /// Both ends of a new connection.
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.proxy.address()).await.unwrap();
        let (server, _) = timeout(SOON, self.listener.accept()).await.unwrap().unwrap();
        (client, server)
    }
}

/// Asserts that what one end sends comes out of the other.
async fn assert_carried(from: &mut TcpStream, to: &mut TcpStream, text: &str) {
    from.write_all(text.as_bytes()).await.unwrap();
    assert_eq!(read(to, text.len()).await, text);
}

async fn read(from: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    timeout(SOON, from.read_exact(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn assert_silent(end: &mut TcpStream) {
    assert!(timeout(A_WHILE, end.read_u8()).await.is_err(), "something came");
}

async fn assert_reset(end: &mut TcpStream) {
    let error = timeout(SOON, end.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

async fn assert_refused(proxy: &Proxy) {
    // The reset may come before `connect` has returned.
    if let Ok(mut refused) = TcpStream::connect(proxy.address()).await {
        assert_reset(&mut refused).await;
    }
}

#[tokio::test]
async fn both_directions_and_each_close_are_carried() {
    let setting = Setting::new().await;
    let (mut client, mut server) = setting.connect().await;
    assert_carried(&mut client, &mut server, "question").await;
    client.shutdown().await.unwrap();
    assert_eq!(timeout(SOON, server.read(&mut [0])).await.unwrap().unwrap(), 0);
    assert_carried(&mut server, &mut client, "answer").await;
    drop(server);
    assert_eq!(timeout(SOON, client.read(&mut [0])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn latency_delays_each_direction() {
    const LATENCY: Duration = Duration::from_millis(60);
    let setting = Setting::new().await;
    let (mut client, mut server) = setting.connect().await;
    setting.proxy.set(Mode::Latency(LATENCY));
    let start = Instant::now();
    assert_carried(&mut client, &mut server, "question").await;
    assert_carried(&mut server, &mut client, "answer").await;
    assert!(start.elapsed() >= 2 * LATENCY);
}

#[tokio::test]
async fn a_reset_breaks_what_is_open_and_nothing_after_it() {
    let setting = Setting::new().await;
    let (mut client, mut server) = setting.connect().await;
    setting.proxy.reset();
    assert_reset(&mut client).await;
    assert_reset(&mut server).await;
    let (mut client, mut server) = setting.connect().await;
    assert_carried(&mut client, &mut server, "again").await;
}

#[tokio::test]
async fn a_pause_holds_everything_back_and_loses_nothing() {
    let setting = Setting::new().await;
    let (mut client, mut server) = setting.connect().await;
    setting.proxy.set(Mode::Pause);
    client.write_all(b"held").await.unwrap();
    let mut late = TcpStream::connect(setting.proxy.address()).await.unwrap();
    late.write_all(b"late").await.unwrap();
    assert_silent(&mut server).await;
    assert!(timeout(A_WHILE, setting.listener.accept()).await.is_err());
    setting.proxy.set(Mode::Forward);
    assert_eq!(read(&mut server, 4).await, "held");
    let (mut server, _) = setting.listener.accept().await.unwrap();
    assert_eq!(read(&mut server, 4).await, "late");
}

#[tokio::test]
async fn a_black_hole_takes_everything_and_breaks_what_it_took_from() {
    let setting = Setting::new().await;
    let (mut client, mut server) = setting.connect().await;
    let (mut quiet_client, mut quiet_server) = setting.connect().await;
    setting.proxy.set(Mode::BlackHole);
    client.write_all(b"lost").await.unwrap();
    let mut late = TcpStream::connect(setting.proxy.address()).await.unwrap();
    late.write_all(b"lost").await.unwrap();
    for end in [&mut client, &mut server, &mut late] {
        assert_silent(end).await;
    }
    setting.proxy.set(Mode::Forward);
    for end in [&mut client, &mut server, &mut late] {
        assert_reset(end).await;
    }
    assert_carried(&mut quiet_client, &mut quiet_server, "nothing was lost here").await;
}

#[tokio::test]
async fn one_end_is_lost_and_the_other_is_not_told() {
    for lost in [End::Client, End::Server] {
        let setting = Setting::new().await;
        let (mut client, mut server) = setting.connect().await;
        setting.proxy.lose(lost);
        let (gone, kept) = match lost {
            End::Client => (&mut client, &mut server),
            End::Server => (&mut server, &mut client),
        };
        assert_eq!(timeout(SOON, gone.read(&mut [0])).await.unwrap().unwrap(), 0);
        kept.write_all(b"is anybody there?").await.unwrap();
        assert_silent(kept).await;
        kept.write_all(b"anybody?").await.unwrap();
        let (mut client, mut server) = setting.connect().await;
        assert_carried(&mut client, &mut server, "a new one").await;
    }
}

#[tokio::test]
async fn what_one_end_says_is_lost_and_the_other_is_heard() {
    for deaf in [End::Client, End::Server] {
        let setting = Setting::new().await;
        let (mut client, mut server) = setting.connect().await;
        let (lost, heard) = match deaf {
            End::Client => (&mut client, &mut server),
            End::Server => (&mut server, &mut client),
        };
        setting.proxy.set_for(Scope::sent_by(deaf), Mode::BlackHole);
        lost.write_all(b"lost").await.unwrap();
        assert_silent(heard).await;
        assert_carried(heard, lost, "heard").await;
        assert_eq!(setting.proxy.swallowed(), 4);
        setting.proxy.set(Mode::Forward);
        assert_reset(lost).await;
        assert_reset(heard).await;
    }
}

#[tokio::test]
async fn what_one_end_says_is_held_back_and_the_other_is_heard() {
    let setting = Setting::new().await;
    let (mut client, mut server) = setting.connect().await;
    setting.proxy.set_for(Scope::sent_by(End::Server), Mode::Pause);
    server.write_all(b"held").await.unwrap();
    assert_silent(&mut client).await;
    assert_carried(&mut client, &mut server, "heard").await;
    let (mut late, mut late_server) = setting.connect().await;
    assert_carried(&mut late, &mut late_server, "heard").await;
    setting.proxy.set(Mode::Forward);
    assert_eq!(read(&mut client, 4).await, "held");
}

#[tokio::test]
async fn connections_are_told_apart_by_how_they_introduce_themselves() {
    let setting = Setting::new().await;
    let mut named = Vec::new();
    for name in ["worker", "worker publisher"] {
        let (mut client, mut server) = setting.connect().await;
        let length = char::from(u8::try_from(name.len()).unwrap());
        // In two pieces, as it may come.
        assert_carried(&mut client, &mut server, "AMQP connection_na").await;
        let rest = format!("meS\0\0\0{length}{name}");
        assert_carried(&mut client, &mut server, &rest).await;
        named.push((client, server));
    }
    let scope = Scope::sent_by(End::Client).named("worker");
    setting.proxy.set_for(scope, Mode::BlackHole);
    let [(worker, to_worker), (publisher, to_publisher)] = &mut named[..] else { panic!() };
    worker.write_all(b"lost").await.unwrap();
    assert_silent(to_worker).await;
    assert_carried(publisher, to_publisher, "carried").await;
    assert_carried(to_worker, worker, "carried").await;
    let (mut nobody, mut to_nobody) = setting.connect().await;
    assert_carried(&mut nobody, &mut to_nobody, "carried").await;
    setting.proxy.set(Mode::Forward);
    assert_reset(worker).await;
    assert_carried(publisher, to_publisher, "carried").await;
}

#[tokio::test]
async fn refusing_breaks_everything_until_it_ends() {
    let setting = Setting::new().await;
    let (mut client, _server) = setting.connect().await;
    setting.proxy.set(Mode::Refuse);
    assert_reset(&mut client).await;
    assert_refused(&setting.proxy).await;
    setting.proxy.set(Mode::Forward);
    let (mut client, mut server) = setting.connect().await;
    assert_carried(&mut client, &mut server, "welcome").await;
}

#[tokio::test]
async fn a_target_that_is_away_is_a_broken_connection_until_it_returns() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let target: SocketAddr = listener.local_addr().unwrap();
    drop(listener);
    let proxy = Proxy::to(target).await.unwrap();
    assert_refused(&proxy).await;
    let listener = TcpListener::bind(target).await.unwrap();
    let setting = Setting { proxy, listener };
    let (mut client, mut server) = setting.connect().await;
    assert_carried(&mut client, &mut server, "welcome back").await;
}
