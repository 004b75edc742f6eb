//! What became of letters that were replayed.

use std::{collections::BTreeMap, time::Duration};

use database::{Client, DatabaseError};
use serde::Serialize;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How replayed letters ended, each counted once.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Ends {
    /// A worker has finished them.
    resolved: i64,
    /// They failed again and are open, by cause.
    open: BTreeMap<String, i64>,
    /// Somebody discarded them meanwhile.
    discarded: i64,
    /// They have come to no end yet: they wait in the queue, or for their next attempt.
    replaying: i64,
}

impl Ends {
    /// Waits until all have come to an end, for at most `limit`, or until the command is interrupted.
    pub(super) async fn wait(
        client: &Client,
        letters: &[Uuid],
        limit: Duration,
        interrupted: &CancellationToken,
    ) -> Result<Self, DatabaseError> {
        let deadline = Instant::now() + limit;
        loop {
            let ends = Self::load(client, letters).await?;
            if ends.are_all_known() || Instant::now() >= deadline || interrupted.is_cancelled() {
                return Ok(ends);
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = interrupted.cancelled() => {}
            }
        }
    }

    async fn load(client: &Client, letters: &[Uuid]) -> Result<Self, DatabaseError> {
        let rows = client
            .query(
                "SELECT status, cause, count(*) AS number FROM dead_letters WHERE id = ANY($1)
                 GROUP BY status, cause",
                &[&letters],
            )
            .await
            .map_err(DatabaseError::during("look what became of the dead letters"))?;
        let mut ends = Self::default();
        for row in &rows {
            let number: i64 = row.get("number");
            match row.get("status") {
                "resolved" => ends.resolved += number,
                "discarded" => ends.discarded += number,
                "open" => *ends.open.entry(row.get("cause")).or_default() += number,
                _ => ends.replaying += number,
            }
        }
        Ok(ends)
    }

    /// Whether none is on its way any more.
    pub(super) fn are_all_known(&self) -> bool {
        self.replaying == 0
    }

    /// Whether nothing is left to do.
    pub(super) fn are_good(&self) -> bool {
        self.replaying == 0 && self.open.is_empty()
    }

    /// `117 resolved; 3 failed again: member_not_found 2, wrong_church 1`.
    pub(super) fn in_words(&self) -> String {
        let mut words = vec![format!("{} resolved", self.resolved)];
        if !self.open.is_empty() {
            let causes: Vec<String> =
                self.open.iter().map(|(cause, number)| format!("{cause} {number}")).collect();
            let failed: i64 = self.open.values().sum();
            words.push(format!("{failed} failed again and are open: {}", causes.join(", ")));
        }
        if self.discarded > 0 {
            words.push(format!("{} discarded meanwhile", self.discarded));
        }
        if self.replaying > 0 {
            words.push(format!(
                "{} still on their way: `faithctl dead-letters list --status replaying`",
                self.replaying
            ));
        }
        words.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_by_cause() {
        let open =
            BTreeMap::from([("member_not_found".to_owned(), 2), ("wrong_church".to_owned(), 1)]);
        let ends = Ends { resolved: 117, open, ..Ends::default() };
        assert_eq!(
            ends.in_words(),
            "117 resolved; 3 failed again and are open: member_not_found 2, wrong_church 1"
        );
        assert!(ends.are_all_known() && !ends.are_good());
        let waiting = Ends { replaying: 1, ..Ends::default() };
        assert!(!waiting.are_all_known() && !waiting.are_good());
    }
}
