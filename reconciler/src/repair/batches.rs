//! Rows of the run's session, a batch at a time in the order of their keys: however many there are, no more than
//! one batch of them is in memory.

use database::{Client, Error, Row, types::ToSql};

/// Members in one transaction, as in the worker.
const BATCH: i64 = 256;

/// What photos may weigh that are handled together, in bytes; a single one may weigh more.
pub(super) const HEAVIEST_BATCH: usize = 16 * 1024 * 1024;

/// Batches of a query that takes the key after which it begins as `$1` and `$2`, and the largest number of rows as
/// `$3`; its rows are in the order of their keys.
#[derive(Debug)]
pub(super) struct Batches {
    query: &'static str,
    after: (String, String),
}

impl Batches {
    /// From the beginning.
    pub(super) fn of(query: &'static str) -> Self {
        Self { query, after: (String::new(), String::new()) }
    }

    /// The rows behind the last key that was passed; `more` are the query's parameters from `$4` on.
    pub(super) async fn read(
        &self,
        client: &Client,
        more: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&self.after.0, &self.after.1, &BATCH];
        parameters.extend(more);
        Ok(client.query(self.query, &parameters).await?)
    }

    /// Everything up to this key is done.
    pub(super) fn pass(&mut self, group: &str, member: &str) {
        self.after = (group.to_owned(), member.to_owned());
    }

    /// The key up to which everything is done.
    pub(super) fn passed(&self) -> (&str, &str) {
        (&self.after.0, &self.after.1)
    }
}
