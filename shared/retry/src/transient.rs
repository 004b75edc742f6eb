//! Transient failures: so short that the attempt itself waits them out.

use std::time::Duration;

use backoff::{Error, ExponentialBackoff, ExponentialBackoffBuilder};

/// How long an attempt retries within itself: longer, and an event in the queue behind would be late for nothing.
const LONGEST: Duration = Duration::from_secs(2);

/// Repeats `operation` while its error `is_transient`, for up to 2 s, with growing random pauses.
pub async fn retry_transient<T, E, F>(
    mut operation: impl FnMut() -> F,
    is_transient: impl Fn(&E) -> bool,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    backoff::future::retry(pauses(), || {
        let attempt = operation();
        let is_transient = &is_transient;
        async move {
            attempt.await.map_err(|error| {
                if is_transient(&error) { Error::transient(error) } else { Error::permanent(error) }
            })
        }
    })
    .await
}

fn pauses() -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(100))
        .with_max_interval(Duration::from_millis(800))
        .with_max_elapsed_time(Some(LONGEST))
        .build()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_transient_failure_is_retried_until_it_is_over() {
        let attempts = Cell::new(0);
        let answer: Result<u32, &str> = retry_transient(
            async || {
                attempts.set(attempts.get() + 1);
                if attempts.get() < 3 { Err("transient") } else { Ok(attempts.get()) }
            },
            |error| *error == "transient",
        )
        .await;
        assert_eq!(answer, Ok(3));
        let answer: Result<u32, &str> = retry_transient(
            async || {
                attempts.set(attempts.get() + 1);
                Err("permanent")
            },
            |error| *error == "transient",
        )
        .await;
        assert_eq!((answer, attempts.get()), (Err("permanent"), 4));
    }

    #[test]
    fn an_attempt_retries_for_two_seconds_at_most() {
        let pauses = pauses();
        assert_eq!(pauses.max_elapsed_time, Some(Duration::from_secs(2)));
        assert_eq!(pauses.initial_interval, Duration::from_millis(100));
        assert_eq!(pauses.max_interval, Duration::from_millis(800));
    }
}
