//! `DATABASE_URL`, with what of libpq's tokio-postgres does not know.

use std::{path::PathBuf, sync::Arc, time::Duration};

use percent_encoding::percent_decode_str;
use runtime::{SettingError, Settings, variables};
use rustls::ClientConfig;
use tokio_postgres::config::{Host as Name, LoadBalanceHosts, SslMode};

use crate::{
    host::Host,
    target::Target,
    tls::{self, Verification},
};

const EXPECTED: &str = "postgres://user:pass@host:port[,host:port…]/db[?sslmode=disable|prefer|require|verify-ca|verify-full&sslrootcert=FILE&target_session_attrs=any|read-write|read-only|primary|standby|prefer-standby]";

/// How long a host may take to give a session, unless `connect_timeout` says otherwise.
const HOST_LIMIT: Duration = Duration::from_secs(4);

/// Where Postgres is and how to reach it.
#[derive(Clone)]
pub struct DatabaseConfig {
    /// In the order in which they are tried.
    pub(crate) hosts: Vec<Host>,
    /// What a host must be.
    pub(crate) target: Target,
    pub(crate) is_shuffled: bool,
    /// How long each may take.
    pub(crate) host_limit: Duration,
    pub(crate) tls: Arc<ClientConfig>,
    /// Connections a pool may hold.
    pub(crate) pool_size: usize,
    /// How long a statement may take, where that is less than usual.
    pub(crate) statement_limit: Option<Duration>,
}

impl DatabaseConfig {
    /// How many connections a pool may hold.
    pub fn pool_size(&self) -> usize {
        self.pool_size
    }

    /// `faithtracker on db.internal:5432`, for people: no user, no password.
    pub fn description(&self) -> String {
        let session = self.hosts.first().map(|host| &host.postgres);
        let name = session.and_then(|session| session.get_dbname().or_else(|| session.get_user()));
        let hosts: Vec<String> = self.hosts.iter().map(Host::address).collect();
        format!("{} on {}", name.unwrap_or("(unnamed)"), hosts.join(", "))
    }

    /// The same with a pool of another size.
    #[must_use]
    pub fn with_pool_size(&self, pool_size: usize) -> Self {
        Self { pool_size, ..self.clone() }
    }

    /// The same, with statements that are ended after so long.
    #[must_use]
    pub fn with_statement_limit(self, limit: Duration) -> Self {
        Self { statement_limit: Some(limit), ..self }
    }

    /// Reads `DATABASE_URL`, or the file in its place, and `DATABASE_POOL_SIZE`. `program` is shown in
    /// `pg_stat_activity`.
    pub fn from_settings(settings: &Settings, program: &str) -> Result<Self, SettingError> {
        let wrong = |problem: &str| SettingError::new(variables::DATABASE_URL, problem, EXPECTED);
        let text =
            settings.required_or_file(variables::DATABASE_URL, variables::DATABASE_URL_FILE)?;
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(wrong("is not a postgres:// URL"));
        }
        let (text, own) = OwnParameters::take(&text).map_err(wrong)?;
        // Without the parameter's name: it may be the rest of a password with `&` in it.
        let url: tokio_postgres::Config =
            text.parse().map_err(|_| wrong("cannot be read, or has an unknown parameter"))?;
        let tls = own.tls;
        let mut session = sessions_of(&url);
        session.application_name(program).ssl_mode(tls.mode);
        let hosts = hosts_of(&url, &session).map_err(wrong)?;
        let roots = runtime::root_store(tls.root_certificate.as_deref())
            .map_err(|error| wrong(&format!("names an unusable sslrootcert ({error})")))?;
        let tls = tls::client_config(tls.verification, roots)
            .map_err(|error| wrong(&format!("cannot be used with TLS ({error})")))?;
        let pool_size = settings.number(variables::DATABASE_POOL_SIZE, 1..=1000)?;
        Ok(Self {
            hosts,
            target: own.target,
            is_shuffled: url.get_load_balance_hosts() == LoadBalanceHosts::Random,
            host_limit: url.get_connect_timeout().copied().unwrap_or(HOST_LIMIT),
            tls: Arc::new(tls),
            pool_size: usize::try_from(pool_size).unwrap_or(usize::MAX),
            statement_limit: None,
        })
    }
}

struct TlsParameters {
    mode: SslMode,
    verification: Verification,
    root_certificate: Option<PathBuf>,
}

/// The parameters that are ours to understand.
struct OwnParameters {
    tls: TlsParameters,
    target: Target,
}

impl OwnParameters {
    /// Takes them out of the URL, since tokio-postgres refuses what it does not know; everything else
    /// stays as it is written. The meanings are libpq's:
    /// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS>
    fn take(url: &str) -> Result<(String, Self), &'static str> {
        // A password may hold a question mark.
        let credentials = url.find('@').unwrap_or(0);
        let Some(begin) = url[credentials..].find('?').map(|begin| credentials + begin) else {
            return Ok((url.to_owned(), Self::read("prefer", None, "any")?));
        };
        let (mut mode, mut root, mut target) = ("prefer".to_owned(), None, "any".to_owned());
        let mut others = Vec::new();
        for pair in url[begin + 1..].split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            match name {
                "sslmode" => mode = value,
                "sslrootcert" => root = Some(PathBuf::from(value)),
                "target_session_attrs" => target = value,
                _ => others.push(pair),
            }
        }
        let url = match others.as_slice() {
            [] => url[..begin].to_owned(),
            others => format!("{}?{}", &url[..begin], others.join("&")),
        };
        Ok((url, Self::read(&mode, root, &target)?))
    }

    fn read(mode: &str, root: Option<PathBuf>, target: &str) -> Result<Self, &'static str> {
        let (mode, verification) = match (mode, &root) {
            ("disable", _) => (SslMode::Disable, Verification::None),
            ("prefer" | "allow", _) => (SslMode::Prefer, Verification::None),
            // libpq: with a root certificate, `require` checks the chain as `verify-ca` does.
            ("require", None) => (SslMode::Require, Verification::None),
            ("require" | "verify-ca", _) => (SslMode::Require, Verification::Chain),
            ("verify-full", _) => (SslMode::Require, Verification::ChainAndName),
            _ => return Err("has an unknown sslmode"),
        };
        let target = Target::parse(target).ok_or("has an unknown target_session_attrs")?;
        Ok(Self { tls: TlsParameters { mode, verification, root_certificate: root }, target })
    }
}

/// What is the same for every host.
fn sessions_of(url: &tokio_postgres::Config) -> tokio_postgres::Config {
    let mut session = tokio_postgres::Config::new();
    session
        .ssl_negotiation(url.get_ssl_negotiation())
        .channel_binding(url.get_channel_binding())
        .connect_timeout(url.get_connect_timeout().copied().unwrap_or(HOST_LIMIT))
        // A half-open connection is found within half a minute, not after two hours.
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(20));
    if let Some(user) = url.get_user() {
        session.user(user);
    }
    if let Some(password) = url.get_password() {
        session.password(password);
    }
    if let Some(database) = url.get_dbname() {
        session.dbname(database);
    }
    if let Some(options) = url.get_options() {
        session.options(options);
    }
    session
}

/// A configuration for each host: tokio-postgres would try the next only when the one before has
/// failed, and waits for ever for one that takes the connection and says nothing.
fn hosts_of(
    url: &tokio_postgres::Config,
    session: &tokio_postgres::Config,
) -> Result<Vec<Host>, &'static str> {
    let (names, addresses, ports) = (url.get_hosts(), url.get_hostaddrs(), url.get_ports());
    let number = names.len().max(addresses.len());
    if number == 0 {
        return Err("names no host");
    }
    if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
        return Err("has not one hostaddr for each host");
    }
    if ports.len() > 1 && ports.len() != number {
        return Err("has not one port for each host");
    }
    let host = |index: usize| {
        let mut postgres = session.clone();
        match names.get(index) {
            Some(Name::Tcp(name)) => drop(postgres.host(name)),
            Some(Name::Unix(folder)) => drop(postgres.host_path(folder)),
            None => {}
        }
        if let Some(address) = addresses.get(index) {
            postgres.hostaddr(*address);
        }
        // One port stands for all hosts.
        if let Some(port) = ports.get(index).or(ports.first()) {
            postgres.port(*port);
        }
        Host { postgres, is_held: Arc::default() }
    };
    Ok((0..number).map(host).collect())
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
            assert_eq!(config.hosts[0].postgres.get_ssl_mode(), expected, "{mode}");
        }
        assert!(read("postgres://u:p@localhost/db?sslmode=maybe").is_err());
        // It would be tried for ever.
        assert!(read("postgres:///db").is_err());
    }

    #[test]
    fn other_parameters_survive_and_secrets_stay_out_of_errors() {
        let config = read(
            "postgres://u:p%3F@[::1]:5433,second/db?options=-c%20search_path%3Dsync&sslmode=disable\
             &target_session_attrs=primary&connect_timeout=2",
        )
        .unwrap();
        assert_eq!((config.target, config.host_limit), (Target::Primary, Duration::from_secs(2)));
        let hosts: Vec<_> = config.hosts.iter().map(|host| &host.postgres).collect();
        assert_eq!(hosts[0].get_hosts(), [Name::Tcp("::1".to_owned())]);
        assert_eq!(hosts[1].get_hosts(), [Name::Tcp("second".to_owned())]);
        assert_eq!((hosts[0].get_ports(), hosts[1].get_ports()), (&[5433][..], &[5432][..]));
        for host in hosts {
            assert_eq!(host.get_options(), Some("-c search_path=sync"));
            assert_eq!(host.get_password(), Some(&b"p?"[..]));
        }
        for url in [
            "mysql://u:hunter2@localhost/db",
            "postgres://u:hunter2@localhost/db?target_session_attrs=some",
            "postgres://u:hunter2@localhost/db?unheard_of=hunter2",
        ] {
            let error = read(url).err().unwrap().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
