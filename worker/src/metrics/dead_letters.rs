//! How many dead letters wait for an operator: asked of Postgres now and then, for the metrics.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use database::{DatabaseError, Pool, answered};
use retry::Cause;
use runtime::metrics::{Reading, observe_each};
use store::dead_letters::{Waiting, waiting};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(15);
/// A count that is older than this is not told any more: it would look as if it were true.
const FRESH: Duration = Duration::from_mins(2);

type Last = Arc<Mutex<Option<(Instant, Vec<Waiting>)>>>;

/// Counts until `stop`.
pub(crate) async fn count(pool: Pool, stop: CancellationToken) {
    let last = Last::default();
    let read = Arc::clone(&last);
    observe_each(
        "worker_dead_letters",
        "Dead letters in Postgres that are open or being replayed, by cause",
        move || readings(&read),
    );
    while !stop.is_cancelled() {
        match ask(&pool).await {
            Ok(letters) => {
                let now = Some((Instant::now(), letters));
                *last.lock().unwrap_or_else(PoisonError::into_inner) = now;
            }
            Err(error) => tracing::debug!(%error, "dead letters cannot be counted"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn ask(pool: &Pool) -> Result<Vec<Waiting>, DatabaseError> {
    answered(async { waiting(&*pool.get().await?).await }).await
}

/// Every cause from the start, at zero: an increase from nothing is none.
fn readings(last: &Last) -> Vec<Reading> {
    let last = last.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((_, letters)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) else {
        return Vec::new();
    };
    let counted: HashMap<_, _> = letters
        .iter()
        .map(|waiting| ((waiting.cause.as_str(), waiting.status.as_str()), waiting.letters))
        .collect();
    let mut readings = Vec::new();
    for cause in Cause::ALL {
        for status in ["open", "replaying"] {
            let letters = counted.get(&(cause.as_str(), status)).copied().unwrap_or(0);
            let letters = f64::from(u32::try_from(letters).unwrap_or(u32::MAX));
            let labels = [("cause", cause.as_str()), ("status", status)];
            readings.push((labels.map(|(key, value)| (key, value.to_owned())).to_vec(), letters));
        }
    }
    readings
}
