//! `DATABASE_URL`, with the `sslmode` values that tokio-postgres does not know.

use std::{path::PathBuf, sync::Arc, time::Duration};

use runtime::{SettingError, Settings, variables};
use rustls::ClientConfig;
use tokio_postgres::config::SslMode;
use url::Url;

use crate::tls::{self, Verification};

/// What every session is set to.
///
/// * `lock_timeout`: a row held by a stuck session delays its own event, not the whole batch.
/// * `idle_in_transaction_session_timeout`: a worker that froze gives its locks back.
/// * `synchronous_commit`: an acknowledged event is on disk, whatever the server's default.
/// * `jit`: compiling a statement takes longer than any of ours runs.
/// * `statement_timeout`: nothing this product asks takes half a minute unless something is wrong.
const SESSION_OPTIONS: &str = "-c lock_timeout=3s -c idle_in_transaction_session_timeout=5s \
     -c synchronous_commit=on -c jit=off -c statement_timeout=30s";

const EXPECTED: &str = "postgres://user:pass@host:port/db[?sslmode=disable|prefer|require|verify-ca|verify-full&sslrootcert=FILE]";

/// Where Postgres is and how to reach it.
#[derive(Clone)]
pub struct DatabaseConfig {
    pub(crate) postgres: tokio_postgres::Config,
    pub(crate) tls: Arc<ClientConfig>,
    /// Connections a pool may hold.
    pub(crate) pool_size: usize,
}

impl DatabaseConfig {
    /// How many connections a pool may hold.
    pub fn pool_size(&self) -> usize {
        self.pool_size
    }

    /// The same with a pool of another size.
    #[must_use]
    pub fn with_pool_size(&self, pool_size: usize) -> Self {
        Self { pool_size, ..self.clone() }
    }

    /// Reads `DATABASE_URL`, or the file in its place, and `DATABASE_POOL_SIZE`. `program` is shown in
    /// `pg_stat_activity`.
    pub fn from_settings(settings: &Settings, program: &str) -> Result<Self, SettingError> {
        let wrong = |problem: &str| SettingError::new(variables::DATABASE_URL, problem, EXPECTED);
        let text =
            settings.required_or_file(variables::DATABASE_URL, variables::DATABASE_URL_FILE)?;
        let mut url = Url::parse(&text).map_err(|_| wrong("is not a URL"))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(wrong("is not a postgres:// URL"));
        }
        let tls = take_tls_parameters(&mut url).ok_or_else(|| wrong("has an unknown sslmode"))?;
        let mut postgres: tokio_postgres::Config =
            url.as_str().parse().map_err(|_| wrong("cannot be read"))?;
        if postgres.get_hosts().is_empty() && postgres.get_hostaddrs().is_empty() {
            return Err(wrong("names no host"));
        }
        postgres
            .application_name(program)
            .ssl_mode(tls.mode)
            .options(SESSION_OPTIONS)
            .connect_timeout(Duration::from_secs(5))
            // A half-open connection is found within half a minute, not after two hours.
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(20));
        let roots = runtime::root_store(tls.root_certificate.as_deref())
            .map_err(|error| wrong(&format!("names an unusable sslrootcert ({error})")))?;
        let tls = tls::client_config(tls.verification, roots)
            .map_err(|error| wrong(&format!("cannot be used with TLS ({error})")))?;
        let pool_size = settings.number(variables::DATABASE_POOL_SIZE, 1..=1000)?;
        Ok(Self {
            postgres,
            tls: Arc::new(tls),
            pool_size: usize::try_from(pool_size).unwrap_or(usize::MAX),
        })
    }
}

struct TlsParameters {
    mode: SslMode,
    verification: Verification,
    root_certificate: Option<PathBuf>,
}

/// Takes `sslmode` and `sslrootcert` out of the URL, since tokio-postgres refuses what it does
/// not know. None for an unknown mode. The meanings are libpq's:
/// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS>
fn take_tls_parameters(url: &mut Url) -> Option<TlsParameters> {
    let mut mode = "prefer".to_owned();
    let mut root_certificate = None;
    let mut others = Vec::new();
    for (name, value) in url.query_pairs() {
        match &*name {
            "sslmode" => mode = value.into_owned(),
            "sslrootcert" => root_certificate = Some(PathBuf::from(value.into_owned())),
            _ => others.push((name.into_owned(), value.into_owned())),
        }
    }
    url.set_query(None);
    if !others.is_empty() {
        url.query_pairs_mut().extend_pairs(others);
    }
    let (mode, verification) = match (mode.as_str(), &root_certificate) {
        ("disable", _) => (SslMode::Disable, Verification::None),
        ("prefer" | "allow", _) => (SslMode::Prefer, Verification::None),
        // libpq: with a root certificate, `require` checks the chain as `verify-ca` does.
        ("require", None) => (SslMode::Require, Verification::None),
        ("require" | "verify-ca", _) => (SslMode::Require, Verification::Chain),
        ("verify-full", _) => (SslMode::Require, Verification::ChainAndName),
        _ => return None,
    };
    Some(TlsParameters { mode, verification, root_certificate })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<DatabaseConfig, SettingError> {
        runtime::install_crypto_provider();
        DatabaseConfig::from_settings(&Settings::from_pairs([("DATABASE_URL", url)]), "test")
    }

    #[test]
    fn every_sslmode_is_read() {
        for (mode, expected) in [
            ("disable", SslMode::Disable),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::Require),
            ("verify-full", SslMode::Require),
        ] {
            let config = read(&format!("postgres://u:p@localhost:5432/db?sslmode={mode}")).unwrap();
            assert_eq!(config.postgres.get_ssl_mode(), expected, "{mode}");
        }
        assert!(read("postgres://u:p@localhost/db?sslmode=maybe").is_err());
        // It would be tried for ever.
        assert!(read("postgres:///db").is_err());
    }

    #[test]
    fn other_parameters_survive_and_secrets_stay_out_of_errors() {
        let config =
            read("postgres://u:p@localhost/db?sslmode=disable&target_session_attrs=read-write");
        assert_eq!(
            config.unwrap().postgres.get_target_session_attrs(),
            tokio_postgres::config::TargetSessionAttrs::ReadWrite
        );
        let error = read("mysql://u:hunter2@localhost/db").err().unwrap().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
