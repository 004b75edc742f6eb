//! The loss of the node that leads the work queue, under load.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use support::servers::RabbitMq;

use super::test_bed::TestBed;

/// How long a new leader may take; RabbitMQ elects one within a second or two, and the machine is
/// busy.
const LED_WITHIN: Duration = Duration::from_mins(1);
/// How long one node of three is left: the length of the fault itself, no wait for anything.
const WITHOUT_MAJORITY: Duration = Duration::from_secs(3);

/// Between two losses.
const STEADY_FOR: Duration = Duration::from_secs(4);

/// A loss, and what the sender saw of it.
#[derive(Debug)]
pub struct Loss {
    /// What was done.
    pub what: &'static str,
    /// When.
    pub at: DateTime<Utc>,
    /// The longest time without an accepted event until the next loss.
    pub gap: Duration,
    /// Tries that were accepted until then.
    pub accepted: usize,
    /// Tries that were refused or not answered until then.
    pub refused: usize,
}

impl Loss {
    fn new(what: &'static str, at: DateTime<Utc>) -> Self {
        Self { what, at, gap: Duration::ZERO, accepted: 0, refused: 0 }
    }

    /// What the sender saw until `end`.
    fn observe(&mut self, bed: &TestBed, end: DateTime<Utc>) {
        self.gap = longest_silence(bed, self.at, end);
        for (at, is_accepted) in tries(bed) {
            if at > self.at && at <= end {
                *if is_accepted { &mut self.accepted } else { &mut self.refused } += 1;
            }
        }
    }
}

/// Kills the leader; again when it is back; and again while that second one is away, so that there
/// is no majority until it returns.
pub(super) async fn lose_leaders(bed: &TestBed) -> anyhow::Result<Vec<Loss>> {
    let mut losses = Vec::new();
    accepted_since(bed, Utc::now()).await?;

    let first = leader(bed).await?;
    let at = Utc::now();
    first.kill();
    steady(bed, at).await?;
    losses.push(Loss::new("the leader was killed", at));
    let second = leader(bed).await?;
    ensure!(second.name() != first.name(), "the queue is led by a node that is dead");
    first.start_again().await?;

    // It still leads, though the first is back.
    let second = leader(bed).await?;
    let at = Utc::now();
    second.kill();
    steady(bed, at).await?;
    losses.push(Loss::new("the next leader was killed", at));

    let third = leader(bed).await?;
    ensure!(third.name() != second.name(), "the queue is led by a node that is dead");
    let at = Utc::now();
    third.kill();
    tokio::time::sleep(WITHOUT_MAJORITY).await;
    second.start_again().await?;
    steady(bed, Utc::now()).await?;
    losses.push(Loss::new("one of three was left for some seconds", at));
    third.start_again().await?;
    accepted_since(bed, Utc::now()).await?;

    let ends: Vec<DateTime<Utc>> = losses.iter().skip(1).map(|loss| loss.at).collect();
    for (loss, end) in losses.iter_mut().zip(ends.into_iter().chain([Utc::now()])) {
        loss.observe(bed, end);
    }
    Ok(losses)
}

/// The node that leads the work queue.
async fn leader(bed: &TestBed) -> anyhow::Result<&RabbitMq> {
    let deadline = Instant::now() + LED_WITHIN;
    let vhost = bed.system.broker.vhost();
    let list = ["list_queues", "--vhost", vhost, "--no-table-headers", "name", "leader"];
    loop {
        for node in bed.system.servers().nodes().filter(|node| node.is_running()) {
            let listed = node.control(&list).await.unwrap_or_default();
            let named = listed.lines().find_map(|line| line.strip_prefix("member-events.work\t"));
            let led = bed.system.servers().nodes().find(|node| Some(node.name()) == named);
            if let Some(leader) = led.filter(|leader| leader.is_running()) {
                return Ok(leader);
            }
        }
        ensure!(Instant::now() < deadline, "the work queue has no leader");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until events are accepted as before, some seconds long.
async fn steady(bed: &TestBed, since: DateTime<Utc>) -> anyhow::Result<()> {
    accepted_since(bed, since).await?;
    accepted_since(bed, Utc::now() + STEADY_FOR).await
}

/// Waits until an event was accepted whose try began after `since`.
async fn accepted_since(bed: &TestBed, since: DateTime<Utc>) -> anyhow::Result<()> {
    let deadline = Instant::now() + LED_WITHIN;
    while !accepted(bed).iter().any(|at| *at > since) {
        ensure!(Instant::now() < deadline, "no event is accepted any more");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// When the tries began that were accepted, in order.
fn accepted(bed: &TestBed) -> Vec<DateTime<Utc>> {
    let accepted = tries(bed).into_iter().filter(|(_, is_accepted)| *is_accepted);
    let mut times: Vec<DateTime<Utc>> = accepted.map(|(at, _)| at).collect();
    times.sort_unstable();
    times
}

/// When each try began, and whether it was accepted.
fn tries(bed: &TestBed) -> Vec<(DateTime<Utc>, bool)> {
    let deliveries = bed.system.core.deliveries();
    let tries = deliveries.iter().flat_map(|delivery| &delivery.attempts);
    tries
        .filter_map(|attempt| {
            let at = attempt.at.parse().context("a try without a time").ok()?;
            Some((at, attempt.is_delivered()))
        })
        .collect()
}

/// The longest time between two accepted events, between two moments.
fn longest_silence(bed: &TestBed, from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    let times = accepted(bed).into_iter().filter(|at| *at > from && *at < to);
    let mut last = from;
    let mut longest = Duration::ZERO;
    for at in times {
        longest = longest.max((at - last).to_std().unwrap_or_default());
        last = at;
    }
    longest
}
