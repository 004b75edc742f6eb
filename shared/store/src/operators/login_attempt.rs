//! How often somebody may try to log in: five times in a quarter of an hour for one login, twenty times from one address.

use std::time::Duration;

use database::DatabaseError;
use sha2::{Digest, Sha256};
use tokio_postgres::{GenericClient, Transaction};

const OF_LOGIN: i64 = 5;
const OF_ADDRESS: i64 = 20;
const WINDOW_SECONDS: f64 = 15.0 * 60.0;

/// An attempt that is counted before anything is compared, so that many at once are counted too.
#[derive(Debug)]
pub struct LoginAttempt {
    login_sha256: Vec<u8>,
}

/// Too many have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttled {
    /// When the next attempt is heard.
    pub wait: Duration,
}

impl LoginAttempt {
    /// Counts an attempt, whether or not there is such a login.
    pub async fn begin(
        transaction: &Transaction<'_>,
        login: &str,
        address: &str,
    ) -> Result<Result<Self, Throttled>, DatabaseError> {
        let failed = || DatabaseError::during("count the attempts to log in");
        let login_sha256 = Sha256::digest(login.as_bytes()).to_vec();
        // One after the other, or many at once would all see few before them. Addresses first, then logins: in one order.
        for key in [address.as_bytes(), &login_sha256] {
            transaction
                .execute("SELECT pg_advisory_xact_lock(hashtext('operator login'), hashtext(encode($1, 'hex')))", &[&key])
                .await
                .map_err(failed())?;
        }
        let row = transaction
            .query_one(
                "SELECT (SELECT extract(epoch FROM at)::float8 FROM operator_login_attempts
                         WHERE login_sha256 = $1 AND at > now() - make_interval(secs => $3) ORDER BY at DESC OFFSET $4 LIMIT 1),
                        (SELECT extract(epoch FROM at)::float8 FROM operator_login_attempts
                         WHERE address = $2 AND at > now() - make_interval(secs => $3) ORDER BY at DESC OFFSET $5 LIMIT 1),
                        extract(epoch FROM clock_timestamp())::float8",
                &[&login_sha256, &address, &WINDOW_SECONDS, &(OF_LOGIN - 1), &(OF_ADDRESS - 1)],
            )
            .await
            .map_err(failed())?;
        let of_login: Option<f64> = row.get(0);
        let first = of_login.into_iter().chain(row.get::<_, Option<f64>>(1)).reduce(f64::max);
        if let Some(first) = first {
            let left = (first + WINDOW_SECONDS - row.get::<_, f64>(2)).clamp(1.0, WINDOW_SECONDS);
            return Ok(Err(Throttled { wait: Duration::from_secs_f64(left) }));
        }
        transaction
            .execute(
                "INSERT INTO operator_login_attempts (login_sha256, address) VALUES ($1, $2)",
                &[&login_sha256, &address],
            )
            .await
            .map_err(failed())?;
        transaction
            .execute("DELETE FROM operator_login_attempts WHERE at < now() - interval '1 day'", &[])
            .await
            .map_err(failed())?;
        Ok(Ok(Self { login_sha256 }))
    }

    /// It succeeded: what failed for this login before is forgotten.
    pub async fn succeeded(self, client: &impl GenericClient) -> Result<(), DatabaseError> {
        client
            .execute(
                "DELETE FROM operator_login_attempts WHERE login_sha256 = $1",
                &[&self.login_sha256],
            )
            .await
            .map_err(DatabaseError::during("forget the attempts to log in"))?;
        Ok(())
    }
}
