//! `member-events.unrouted`: events that found no queue, because someone deleted a queue or its binding, go back on their
//! way (rule worker-14).

use std::time::Duration;

use event::{DecodeError, Envelope};
use queue::{
    DEAD, Link, Message, Publisher, QueueError, ReceivedHeaders, RetryQueue, Route, UNROUTED,
    lapin::{Connection, message::Delivery, types::ShortString},
};
use retry::RetrySchedule;
use tokio_util::sync::CancellationToken;

use crate::{
    publish::publish_while, side_queues::consumer::consume_batches, undecodable::route_undecodable,
};

const PREFETCH: u16 = 64;
/// Before a batch goes back: where the way is still not there, it circles no faster than this.
const PAUSE: Duration = Duration::from_secs(1);

/// What sends events on their way again.
#[derive(Clone)]
pub(crate) struct Unrouted {
    pub(crate) publisher: Publisher,
    pub(crate) schedule: RetrySchedule,
}

impl Unrouted {
    /// Drains on one connection until it is lost or `stop`.
    pub(crate) async fn drain(
        &self,
        connection: &Connection,
        link: &Link,
        stop: &CancellationToken,
    ) -> Result<(), QueueError> {
        consume_batches(connection, UNROUTED, PREFETCH, stop, async |batch| {
            tracing::warn!(
                events = batch.len(),
                "events found no queue and are sent on their way again"
            );
            tokio::time::sleep(PAUSE).await;
            // They would only come back if what they miss were not there again first.
            link.declare(connection).await?;
            let mut passed_on = Vec::with_capacity(batch.len());
            for delivery in batch {
                let message = self.message(&delivery);
                if publish_while(&self.publisher, message, || !stop.is_cancelled()).await {
                    passed_on.push(delivery);
                }
            }
            Ok(passed_on)
        })
        .await
    }

    /// The message that was meant, built anew.
    fn message(&self, delivery: &Delivery) -> Message {
        let headers = ReceivedHeaders::read(&delivery.properties);
        let trace = queue::process(delivery, &headers, UNROUTED);
        let route = route(delivery.routing_key.as_str(), &self.schedule.delays());
        let id = delivery.properties.message_id().as_ref().map(ShortString::as_str);
        let copy = |route| Message::of_bytes(delivery.data.clone(), id, route, trace.context());
        let envelope = match Envelope::decode(&delivery.data) {
            Ok(envelope) => envelope,
            // Whoever consumes it there may know it.
            Err(DecodeError::Version(_)) => return with_headers(copy(route), headers, route),
            Err(error) => {
                return route_undecodable(&self.schedule, &headers.history, &error, copy);
            }
        };
        tracing::info!(
            event_id = envelope.event_id, delivery_id = %envelope.delivery_id,
            campus_id = %envelope.campus_id, route = route.key(), trace_id = %trace.id(),
            "an event that found no queue is sent on its way again"
        );
        with_headers(Message::new(&envelope, route, trace.context()), headers, route)
    }
}

/// What was tried, and why it is dead where it goes there.
fn with_headers(message: Message, headers: ReceivedHeaders, route: Route) -> Message {
    let message = message.with_history(&headers.history);
    match headers.dead_reason {
        Some(dead) if route == Route::Dead => message.with_dead_reason(&dead),
        _ => message,
    }
}

/// Where the routing key led. A delay that no queue is declared for any more is over at once.
fn route(key: &str, delays: &[Duration]) -> Route {
    if key == DEAD {
        return Route::Dead;
    }
    let delay = delays.iter().find(|delay| RetryQueue(**delay).name() == key);
    delay.map_or(Route::Work, |delay| Route::Retry(*delay))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_goes_where_it_was_meant_to_go() {
        let delays = [Duration::from_secs(5), Duration::from_mins(2)];
        assert_eq!(route("member-events.work", &delays), Route::Work);
        assert_eq!(route("member-events.dead", &delays), Route::Dead);
        assert_eq!(route("member-events.retry.2m", &delays), Route::Retry(delays[1]));
        assert_eq!(route("member-events.retry.7s", &delays), Route::Work);
        assert_eq!(route("", &delays), Route::Work);
    }
}
