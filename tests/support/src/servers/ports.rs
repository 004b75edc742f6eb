//! Ports that nobody else uses, now and after a restart.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::Path,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use rand::RngExt;

/// Below the range from which Linux takes ports for outgoing connections, or one of them could sit
/// on a server's port while that server is being restarted.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// The ports of this process, each with a claim on it that all processes of the machine see, and
/// that ends with this one: the UDP port of the same number, which no server here has a use for.
/// Between its choice and its first listener, and while its server is down, a port looks free.
static CLAIMED: LazyLock<Mutex<HashMap<u16, UdpSocket>>> = LazyLock::new(Mutex::default);

/// The port that `file` names if it is still free, else `preferred` if that is free, else one
/// chosen at random; `file` then names it.
pub fn keep_or_choose(file: &Path, preferred: Option<u16>) -> anyhow::Result<u16> {
    let kept: Option<u16> =
        std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
    let kept = kept.filter(|port| (is_claimed(*port) && is_free(*port)) || claim(*port));
    let port = kept.or(preferred.filter(|port| claim(*port))).map_or_else(choose, Ok)?;
    std::fs::write(file, format!("{port}\n"))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(port)
}

fn choose() -> anyhow::Result<u16> {
    // At random and not in order: checkouts that start at the same moment look at different ports.
    let mut random = rand::rng();
    std::iter::repeat_with(|| random.random_range(RANGE))
        .take(1000)
        .find(|port| claim(*port))
        .context("no free port on the loopback interface")
}

/// Takes a port that nobody has claimed and nobody listens on.
fn claim(port: u16) -> bool {
    let Ok(claim) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) else { return false };
    is_free(port) && claimed().insert(port, claim).is_none()
}

/// Whether it is this process that has claimed it.
fn is_claimed(port: u16) -> bool {
    claimed().contains_key(&port)
}

fn claimed() -> MutexGuard<'static, HashMap<u16, UdpSocket>> {
    CLAIMED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[test]
fn a_port_is_chosen_once_and_kept_by_its_file() {
    let folder = super::DataFolder::temporary().unwrap();
    let (first, second) = (folder.join("first"), folder.join("second"));
    let port = keep_or_choose(&first, None).unwrap();
    assert_ne!(keep_or_choose(&second, Some(port)).unwrap(), port, "nobody listens on it yet");
    assert_eq!(keep_or_choose(&first, None).unwrap(), port);
}
