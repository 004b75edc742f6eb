//! Keeping the directory fresh: told of changes by `NOTIFY`, and polling in case nobody tells.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use chrono::Utc;
use database::{Client, Connected, DatabaseConfig, DatabaseError, OPEN_LIMIT, within};
use runtime::{Check, FailureLog, metrics::observe};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Campus, Directory, Sealer, load};

/// The channel that the schema's triggers notify when a campus's configuration changes.
pub const CHANGED: &str = "campus_changed";

/// How old a snapshot may grow without a word from Postgres.
const POLL: Duration = Duration::from_secs(30);
/// A half-open connection must not freeze the snapshot: a poll that takes longer is given up.
const POLL_TIMEOUT: Duration = Duration::from_secs(5);
/// Between the beginnings of two attempts, as long as they are shorter.
const RECONNECT_PAUSE: Duration = Duration::from_secs(2);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The last directory that could be read; kept while Postgres is away.
#[derive(Clone, Default)]
pub struct DirectoryHandle {
    current: Arc<ArcSwapOption<Directory>>,
    /// When it was read, in milliseconds since the epoch.
    read_at: Arc<AtomicI64>,
}

impl DirectoryHandle {
    /// The last snapshot; none until the first could be read.
    pub fn snapshot(&self) -> Option<Arc<Directory>> {
        self.current.load_full()
    }

    /// A handle on a fixed directory, for tests.
    pub fn fixed(directory: Directory) -> Self {
        let handle = Self::default();
        handle.replace(directory);
        handle
    }

    /// Keeps the directory fresh until `shutdown`. `check` is well from the first snapshot on, an
    /// old one too, unless no campus in it has a secret that opens.
    pub async fn refresh(
        self,
        database: DatabaseConfig,
        sealer: Sealer,
        check: Check,
        shutdown: CancellationToken,
    ) {
        self.observe_age();
        let mut failures = FailureLog::default();
        loop {
            let begun = Instant::now();
            let session = self.follow(&database, &sealer, &check, &mut failures);
            let error = tokio::select! {
                Err(error) = session => error.to_string(),
                () = shutdown.cancelled() => return,
            };
            if failures.is_worth_a_line(&error) {
                tracing::warn!(error, "campuses cannot be read; the last snapshot is kept");
            } else {
                tracing::debug!(error, "campuses still cannot be read");
            }
            if self.snapshot().is_none() {
                check.failing(format!("no campuses yet: {error}"));
            }
            tokio::select! {
                // One that says nothing took its time already.
                () = tokio::time::sleep_until(
                    (begun + RECONNECT_PAUSE).max(Instant::now() + SHORTEST_PAUSE)
                ) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Reads, then reads again after every notification and every [`POLL`], until the session is
    /// lost.
    async fn follow(
        &self,
        database: &DatabaseConfig,
        sealer: &Sealer,
        check: &Check,
        failures: &mut FailureLog,
    ) -> Result<std::convert::Infallible, RefreshError> {
        let Connected { client, mut notifications, .. } =
            within(OPEN_LIMIT, listen(database)).await?;
        loop {
            let readable = self.read(&client, sealer).await?;
            failures.forget();
            match readable {
                Readable::Some => check.well(),
                Readable::None => check.failing(
                    "no campus's webhook secret opens: is SECRETS_KEY the one they were sealed with?",
                ),
            }
            match timeout(POLL, notifications.recv()).await {
                // One read answers all the changes that were told meanwhile.
                Ok(Some(_)) => while notifications.try_recv().is_ok() {},
                Ok(None) => return Err(RefreshError::Lost),
                Err(_) => {}
            }
        }
    }

    async fn read(&self, client: &Client, sealer: &Sealer) -> Result<Readable, RefreshError> {
        let last = self.snapshot();
        let directory = timeout(POLL_TIMEOUT, load(client, sealer, last.as_deref()))
            .await
            .map_err(|_| RefreshError::Slow)??;
        tracing::debug!(campuses = directory.len(), "read the campuses");
        let readable = Readable::of(&directory);
        self.replace(directory);
        Ok(readable)
    }

    fn replace(&self, directory: Directory) {
        self.current.store(Some(Arc::new(directory)));
        self.read_at.store(Utc::now().timestamp_millis(), Ordering::Relaxed);
    }

    fn observe_age(&self) {
        let read_at = Arc::clone(&self.read_at);
        observe(
            "campus_snapshot_age_seconds",
            "Age of the gateway's snapshot of campuses",
            move || {
                let read_at = read_at.load(Ordering::Relaxed);
                let age = Utc::now().timestamp_millis().saturating_sub(read_at);
                (read_at > 0).then(|| Duration::from_millis(age.unsigned_abs()).as_secs_f64())
            },
        );
    }
}

/// Whether anybody's webhook can be verified. Where there is no campus, none is missed.
enum Readable {
    Some,
    None,
}

impl Readable {
    fn of(directory: &Directory) -> Self {
        let now = Utc::now();
        let mut campuses = directory.campuses();
        let is_one = |campus: &Campus| campus.secrets.good_at(now).next().is_some();
        if directory.is_empty() || campuses.any(is_one) { Self::Some } else { Self::None }
    }
}

/// Listening comes before the first read, so that no change falls between the two.
async fn listen(database: &DatabaseConfig) -> Result<Connected, DatabaseError> {
    let connected = database.connect().await?;
    connected
        .client
        .batch_execute(&format!("LISTEN {CHANGED}"))
        .await
        .map_err(DatabaseError::during("listen for changes of campuses"))?;
    Ok(connected)
}

#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("the session with Postgres was lost")]
    Lost,
    #[error("Postgres does not answer")]
    Slow,
}
