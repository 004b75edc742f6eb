//! Times in which no gateway was ready: a load balancer that sends to ready ones alone answers senders itself then, so that
//! no gateway hears of what is missing.

use std::time::{Duration, Instant};

use database::{DatabaseError, PooledTransaction};
use uuid::Uuid;

use crate::Gaps;

/// As for times without any gateway (`note_silent_gateways`).
const PATIENCE: Duration = Duration::from_secs(5);

/// What one gateway knows of such times.
#[derive(Debug, Default)]
pub(crate) struct IntakeWatch {
    /// Until when webhooks found a gateway that is ready, or are noted as missed. None before this gateway was ready
    /// for the first time: one that only starts has not been missed yet.
    accounted_until: Option<Instant>,
    was_ready: bool,
}

impl IntakeWatch {
    /// Notes the time without any ready gateway, where there is one; to be called every few seconds.
    pub(crate) async fn look(
        &mut self,
        transaction: &PooledTransaction<'_>,
        own: Uuid,
        is_ready: bool,
        gaps: &Gaps,
    ) -> Result<(), DatabaseError> {
        let now = Instant::now();
        let missed_since = self.missed_since(is_ready, now);
        if let Some(since) = missed_since {
            let others = transaction
                .query_one(OTHERS_ARE_READY, &[&own])
                .await
                .map_err(DatabaseError::during("look whether other gateways are ready"))?;
            if !others.get::<_, bool>(0) {
                gaps.nobody_was_ready(since);
            }
        }
        if is_ready || missed_since.is_some() {
            self.accounted_until = Some(now);
        }
        self.was_ready = is_ready;
        Ok(())
    }

    /// Since when this gateway was not ready, where that is long.
    fn missed_since(&self, is_ready: bool, now: Instant) -> Option<Instant> {
        // Between two moments at which it was ready the row was only written late.
        let is_long = |since: &Instant| now.duration_since(*since) > PATIENCE;
        self.accounted_until.filter(|_| !(self.was_ready && is_ready)).filter(is_long)
    }
}

const OTHERS_ARE_READY: &str = "
    SELECT EXISTS (SELECT FROM instances
                   WHERE program = 'gateway' AND id <> $1 AND ended_at IS NULL
                     AND seen_at > clock_timestamp() - interval '5 seconds' AND state -> 'ready' = 'true')";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_that_was_ready_and_is_not_for_long_is_missed_and_one_that_starts_or_is_late_is_not()
     {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let starts = IntakeWatch::default();
        assert_eq!(
            (starts.missed_since(false, at(60)), starts.missed_since(true, at(60))),
            (None, None)
        );
        let was_ready = IntakeWatch { accounted_until: Some(begin), was_ready: true };
        assert_eq!(was_ready.missed_since(true, at(60)), None);
        assert_eq!(was_ready.missed_since(false, at(5)), None);
        assert_eq!(was_ready.missed_since(false, at(6)), Some(begin));
        let was_not = IntakeWatch { accounted_until: Some(begin), was_ready: false };
        assert_eq!(was_not.missed_since(true, at(5)), None);
        assert_eq!(was_not.missed_since(true, at(6)), Some(begin));
    }
}
