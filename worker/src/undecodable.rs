//! Where a message goes that this version cannot read.

use chrono::Utc;
use event::{DecodeError, History};
use queue::{DeadReason, Message, Route};
use retry::{Cause, Failure, FailureKind, Next, RetrySchedule};

/// Routes a message that failed to decode with `error`; `copy` makes one with the same bytes. What a newer version
/// wrote waits as for an outage: during an upgrade a newer worker takes it. Anything else is a dead letter at once.
pub(crate) fn route_undecodable(
    schedule: &RetrySchedule,
    history: &History,
    error: &DecodeError,
    copy: impl Fn(Route) -> Message,
) -> Message {
    let reason = format!("The message could not be read: {error}.");
    let dead =
        DeadReason { cause: Cause::InvalidEvent.as_str().to_owned(), reason: reason.clone() };
    if !matches!(error, DecodeError::Version(_)) {
        return copy(Route::Dead).with_dead_reason(&dead);
    }
    let failure = Failure::new(Cause::InvalidEvent, FailureKind::Outage, reason);
    match schedule.next(history, &failure, Utc::now()) {
        Next::Again(delay, history) => copy(Route::Retry(delay)).with_history(&history),
        Next::Dead(history) => copy(Route::Dead).with_history(&history).with_dead_reason(&dead),
    }
}
