//! Messages on their way: each is sent until its receiver has taken it.

use std::time::Duration;

use database::{DatabaseError, Pool, within};
use notifications::Channel;
use opentelemetry::{KeyValue, metrics::Counter};
use runtime::{FailureLog, metrics::meter};
use store::notifications as outbox;
use tokio::time::{MissedTickBehavior, interval};

const SEND_EVERY: Duration = Duration::from_secs(5);
const DATABASE_LIMIT: Duration = Duration::from_secs(5);

const SENT: &str = "sent";
const FAILED: &str = "failed";
const GIVEN_UP: &str = "given_up";

/// Messages by channel and by what became of an attempt, there from the start.
pub(super) fn counter() -> Counter<u64> {
    let counter = meter()
        .u64_counter("reconciler_notifications")
        .with_description("Attempts to tell people, by channel and result")
        .build();
    for channel in Channel::NAMES {
        for result in [SENT, FAILED, GIVEN_UP] {
            counter.add(0, &labels(channel, result));
        }
    }
    counter
}

fn labels(channel: &'static str, result: &'static str) -> [KeyValue; 2] {
    [KeyValue::new("channel", channel), KeyValue::new("result", result)]
}

pub(super) async fn keep_sending(channel: &Channel, pool: &Pool, counter: &Counter<u64>) {
    let mut failures = FailureLog::default();
    let mut ticks = interval(SEND_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // One after another: they tell in the order in which it happened.
        while let Ok(true) = send_one(channel, pool, counter, &mut failures).await {}
    }
}

/// Sends the message that is due, if one is; answers whether it was taken.
async fn send_one(
    channel: &Channel,
    pool: &Pool,
    counter: &Counter<u64>,
    failures: &mut FailureLog,
) -> Result<bool, DatabaseError> {
    let take = async { outbox::take(&*pool.get().await?, channel.name()).await };
    let Some(due) = within(DATABASE_LIMIT, take).await? else { return Ok(false) };
    let Err(error) = channel.send(due.id, &due.body).await else {
        counter.add(1, &labels(channel.name(), SENT));
        tracing::info!(notification = %due.id, channel = channel.name(), "people were told");
        let note = async { outbox::sent(&*pool.get().await?, due.id).await };
        within(DATABASE_LIMIT, note).await?;
        return Ok(true);
    };
    let error = format!("{:#}", anyhow::Error::from(error));
    let note = async { outbox::failed(&*pool.get().await?, due.id, &error).await };
    let is_given_up = within(DATABASE_LIMIT, note).await?;
    counter.add(1, &labels(channel.name(), if is_given_up { GIVEN_UP } else { FAILED }));
    if is_given_up || failures.is_worth_a_line(&error) {
        tracing::warn!(
            notification = %due.id,
            channel = channel.name(),
            attempts = due.attempts + 1,
            is_given_up,
            error,
            "people could not be told"
        );
    }
    Ok(false)
}
