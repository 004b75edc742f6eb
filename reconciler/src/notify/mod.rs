//! Telling people, without Prometheus, what is worth a look: looks every half minute, writes what has changed into
//! `notifications`, and sends from there (rules notifications-1 and notifications-2).

mod limit;
mod look;
mod outage;
mod send;

use std::sync::Arc;

use database::Pool;
use notifications::{Channel, NotificationSettings};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Tells people until `stop`; nobody where no channel is set up. What is written and not sent then is sent by the next start.
pub(crate) async fn notify(settings: NotificationSettings, pool: Pool, stop: CancellationToken) {
    let counter = send::counter();
    if settings.channels.is_empty() {
        return stop.cancelled().await;
    }
    let channels: Vec<Arc<Channel>> = settings.channels.into_iter().map(Arc::new).collect();
    let mut parts = JoinSet::new();
    for channel in &channels {
        let (channel, pool, counter) = (Arc::clone(channel), pool.clone(), counter.clone());
        parts.spawn(async move { send::keep_sending(&channel, &pool, &counter).await });
    }
    parts.spawn(async move { look::keep_looking(&channels, &pool).await });
    tokio::select! {
        () = stop.cancelled() => {}
        // None ends by itself: a panic is the daemon's to tell.
        Some(ended) = parts.join_next() => tracing::error!(?ended, "telling people has ended"),
    }
    parts.shutdown().await;
}
