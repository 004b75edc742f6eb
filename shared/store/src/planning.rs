//! How Postgres shall plan the statements of the sync. All of them look up a batch of rows by key,
//! so the right plan is known, and does not depend on how large the tables are.

/// Once: planning anew over all partitions of `webhook_logs`, as Postgres does while it believes
/// that the parameters matter, takes ten times as long as running.
///
/// By keys: a plan that was made while a table was empty reads the whole table, and is kept while
/// the table grows. On the first day of an installation each batch would then read every member.
/// Turning these off forbids nothing: what has no other plan is still run.
macro_rules! by_keys {
    ($scope:literal) => {
        concat!(
            "SET ",
            $scope,
            " plan_cache_mode = force_generic_plan; ",
            "SET ",
            $scope,
            " enable_seqscan = off; ",
            "SET ",
            $scope,
            " enable_bitmapscan = off; ",
            "SET ",
            $scope,
            " enable_hashjoin = off; ",
            "SET ",
            $scope,
            " enable_mergejoin = off"
        )
    };
}

/// Plans statements once, by keys, from here on.
pub(crate) const BY_KEYS: &str = by_keys!("SESSION");
/// The same until the transaction ends, where the session is not one's own.
pub(crate) const BY_KEYS_LOCALLY: &str = by_keys!("LOCAL");
