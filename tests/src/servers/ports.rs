//! Ports that nobody else uses, now and after a restart.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use anyhow::Context;
use rand::RngExt;

/// Below the range from which Linux takes ports for outgoing connections, or one of them could sit
/// on a server's port while that server is being restarted.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// The port that `file` names if it is still free, else `preferred` if that is free, else one
/// chosen at random; `file` then names it.
pub fn keep_or_choose(file: &Path, preferred: Option<u16>) -> anyhow::Result<u16> {
    let kept = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
    let port =
        kept.into_iter().chain(preferred).find(|port| is_free(*port)).map_or_else(choose, Ok)?;
    std::fs::write(file, format!("{port}\n"))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(port)
}

fn choose() -> anyhow::Result<u16> {
    // At random and not in order: checkouts that start at the same moment look at different ports.
    let mut random = rand::rng();
    std::iter::repeat_with(|| random.random_range(RANGE))
        .take(1000)
        .find(|port| is_free(*port))
        .context("no free port on the loopback interface")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
