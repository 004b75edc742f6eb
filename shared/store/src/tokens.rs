//! The core's access token, shared by all workers of an installation (rule core-api-4). All times
//! are the database's; no transaction is open while somebody logs in.

use std::time::Duration;

use campus::{Purpose, SealError, Sealer, Secret};
use core_api::{Lease, LoginTrouble, StoredToken, Token, TokenStore};
use database::{DatabaseError, Pool, Row, answered};
use uuid::Uuid;

/// Logins a minute to one host, failed ones included: the core allows five.
const BUDGET: i64 = 4;

/// The row in `core_tokens`, sealed.
pub struct PostgresTokens {
    pool: Pool,
    sealer: Sealer,
}

/// The shared token could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Postgres failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The token does not open, or could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl PostgresTokens {
    /// A store over `pool`.
    pub fn new(pool: Pool, sealer: Sealer) -> Self {
        Self { pool, sealer }
    }

    fn stored(&self, campus: Uuid, row: &Row) -> Option<StoredToken> {
        let sealed: &[u8] = row.get::<_, Option<&[u8]>>("token_sealed")?;
        // One that another key sealed is no token: the next login replaces it.
        let opened = self.sealer.open(campus, Purpose::CoreToken, sealed).ok()?;
        Some(StoredToken {
            token: Token::new(opened.expose())?,
            version: row.get("version"),
            age: seconds(row.get("age")),
            lifetime: seconds(row.get("lifetime")),
        })
    }
}

const CURRENT: &str = "
    SELECT token_sealed, version,
           extract(epoch FROM now() - obtained_at)::float8 AS age,
           extract(epoch FROM expires_at - obtained_at)::float8 AS lifetime
    FROM core_tokens WHERE campus_id = $1";

impl TokenStore for PostgresTokens {
    type Error = TokenError;

    async fn current(&self, campus: Uuid) -> Result<Option<StoredToken>, TokenError> {
        answered(Box::pin(self.read_current(campus))).await
    }

    async fn lease(
        &self,
        campus: Uuid,
        version: Option<i64>,
        config: i64,
        host: &str,
    ) -> Result<Lease, TokenError> {
        answered(Box::pin(self.take_lease(campus, version, config, host))).await
    }

    async fn replace(
        &self,
        campus: Uuid,
        fence: i64,
        token: &Token,
        lifetime: Duration,
    ) -> Result<StoredToken, TokenError> {
        answered(Box::pin(self.store(campus, fence, token, lifetime))).await
    }

    async fn login_failed(
        &self,
        campus: Uuid,
        fence: i64,
        pause: Duration,
        trouble: LoginTrouble,
    ) -> Result<(), TokenError> {
        answered(Box::pin(self.note_failure(campus, fence, pause, trouble))).await
    }
}

impl PostgresTokens {
    async fn read_current(&self, campus: Uuid) -> Result<Option<StoredToken>, TokenError> {
        let client = self.pool.get().await?;
        let row = client
            .query_opt(CURRENT, &[&campus])
            .await
            .map_err(DatabaseError::during("read the core's token"))?;
        Ok(row.and_then(|row| self.stored(campus, &row)))
    }

    async fn take_lease(
        &self,
        campus: Uuid,
        version: Option<i64>,
        config: i64,
        host: &str,
    ) -> Result<Lease, TokenError> {
        let failed = || DatabaseError::during("ask to log in to the core");
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await.map_err(failed())?;
        transaction
            .execute(
                "INSERT INTO core_tokens (campus_id) VALUES ($1) ON CONFLICT DO NOTHING",
                &[&campus],
            )
            .await
            .map_err(failed())?;
        let row = transaction.query_one(LOCK, &[&campus]).await.map_err(failed())?;
        // Under the row's lock, which whoever changes a login takes too, and in a statement of its own.
        let newer = transaction.query_opt(NEWER_CONFIG, &[&campus, &config]).await;
        if newer.map_err(failed())?.is_some() {
            return Ok(Lease::Outdated);
        }
        if let Some(stored) = self.stored(campus, &row) {
            if Some(stored.version) != version {
                return Ok(Lease::Newer(stored));
            }
            if row.get("too_young") {
                return Ok(Lease::TooYoung);
            }
        }
        if row.get("is_leased") {
            return Ok(Lease::HeldByAnother);
        }
        let trouble = row.get::<_, Option<&str>>("pause_cause").and_then(LoginTrouble::from_word);
        if let Some(pause) = wait(&row, "pause") {
            // Rows of an older version do not say; they were written after refusals above all.
            return Ok(Lease::NotBefore(pause, trouble.unwrap_or(LoginTrouble::Refused)));
        }
        // Campuses of one host share its budget: one at a time counts.
        transaction
            .execute(
                "SELECT pg_advisory_xact_lock(hashtext('core logins'), hashtext($1))",
                &[&host],
            )
            .await
            .map_err(failed())?;
        let spent = transaction.query_one(SPENT, &[&host]).await.map_err(failed())?;
        if spent.get::<_, i64>("logins") >= BUDGET {
            let pause = wait(&spent, "pause").unwrap_or(Duration::from_secs(1));
            return Ok(Lease::NoBudget(pause, trouble.unwrap_or(LoginTrouble::Budget)));
        }
        transaction
            .execute("INSERT INTO core_logins (host) VALUES ($1)", &[&host])
            .await
            .map_err(failed())?;
        transaction.execute(TAKE_LEASE, &[&campus]).await.map_err(failed())?;
        transaction.commit().await.map_err(failed())?;
        Ok(Lease::Won(row.get("version")))
    }

    async fn store(
        &self,
        campus: Uuid,
        fence: i64,
        token: &Token,
        lifetime: Duration,
    ) -> Result<StoredToken, TokenError> {
        let failed = || DatabaseError::during("store the core's token");
        let sealed = self.sealer.seal(campus, Purpose::CoreToken, &Secret::new(token.reveal()))?;
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await.map_err(failed())?;
        transaction
            .execute(REPLACE, &[&campus, &fence, &sealed, &lifetime.as_secs_f64()])
            .await
            .map_err(failed())?;
        let row = transaction.query_one(CURRENT, &[&campus]).await.map_err(failed())?;
        transaction.commit().await.map_err(failed())?;
        // The row holds what was just sealed, or another's; if that does not open, ours is good
        // all the same.
        Ok(self.stored(campus, &row).unwrap_or(StoredToken {
            token: token.clone(),
            version: row.get("version"),
            age: Duration::ZERO,
            lifetime,
        }))
    }

    async fn note_failure(
        &self,
        campus: Uuid,
        fence: i64,
        pause: Duration,
        trouble: LoginTrouble,
    ) -> Result<(), TokenError> {
        let client = self.pool.get().await?;
        client
            .execute(
                "UPDATE core_tokens SET lease_until = NULL, pause_cause = $4,
                        not_before = now() + make_interval(secs => $3)
                 WHERE campus_id = $1 AND version = $2",
                &[&campus, &fence, &pause.as_secs_f64(), &trouble.as_str()],
            )
            .await
            .map_err(DatabaseError::during("note a failed login to the core"))?;
        Ok(())
    }
}

/// The row with all that a lease depends on. A token under a minute old is never replaced: the core
/// refuses what it just gave, and another login would only use up the budget.
const LOCK: &str = "
    SELECT token_sealed, version,
           extract(epoch FROM now() - obtained_at)::float8 AS age,
           extract(epoch FROM expires_at - obtained_at)::float8 AS lifetime,
           coalesce(obtained_at > now() - interval '1 minute' AND expires_at > now(), false) AS too_young,
           coalesce(lease_until > now(), false) AS is_leased, pause_cause,
           extract(epoch FROM not_before - now())::float8 AS pause
    FROM core_tokens WHERE campus_id = $1 FOR UPDATE";

/// Only what moved after the asker's configuration was read counts.
const NEWER_CONFIG: &str = "SELECT FROM sync_configs WHERE campus_id = $1 AND version > $2";

/// The lease is longer than a login may take.
const TAKE_LEASE: &str =
    "UPDATE core_tokens SET lease_until = now() + interval '15 seconds' WHERE campus_id = $1";

/// Logins of the last minute, and how long until the oldest of them is a minute old.
const SPENT: &str = "
    WITH old AS (DELETE FROM core_logins WHERE host = $1 AND attempted_at <= now() - interval '1 minute')
    SELECT count(*) AS logins,
           extract(epoch FROM min(attempted_at) + interval '1 minute' - now())::float8 AS pause
    FROM core_logins WHERE host = $1 AND attempted_at > now() - interval '1 minute'";

/// Somebody else's successor stays: whoever lost the lease may have slept through another's login.
/// Without a lease nothing is written: `faithctl campus set` took it away with the token, because
/// this login was to another core or account.
const REPLACE: &str = "
    UPDATE core_tokens SET
        token_sealed = $3, version = version + 1, obtained_at = now(),
        expires_at = now() + make_interval(secs => $4), lease_until = NULL, not_before = NULL,
        pause_cause = NULL
    WHERE campus_id = $1 AND lease_until IS NOT NULL AND version = $2";

fn seconds(value: Option<f64>) -> Duration {
    value.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default()
}

fn wait(row: &Row, column: &str) -> Option<Duration> {
    Some(seconds(row.get(column))).filter(|wait| !wait.is_zero())
}
