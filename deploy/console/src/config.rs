//! The console's settings.

use std::{net::SocketAddr, time::Duration};

use database::DatabaseConfig;
use public_port::{Tls, TrustedProxies};
use runtime::{SettingError, Settings, Variable, variables};
use url::Url;
use zeroize::Zeroizing;

/// The variables that the console reads.
pub const VARIABLES: &[Variable] = &[
    variables::DATABASE_URL,
    variables::DATABASE_URL_FILE,
    variables::DATABASE_POOL_SIZE,
    variables::CONSOLE_LISTEN,
    variables::CONSOLE_ADMIN_LISTEN,
    variables::CONSOLE_URL,
    variables::CONSOLE_TRUSTED_PROXIES,
    variables::CONSOLE_PROXY_USER_HEADER,
    variables::CONSOLE_PROXY_SECRET_FILE,
    variables::TLS_CERT_FILE,
    variables::TLS_KEY_FILE,
    variables::OTEL_EXPORTER_OTLP_ENDPOINT,
    variables::RUST_LOG,
    variables::LOG_FORMAT,
];

/// No page may wait for one statement for longer.
const STATEMENT_LIMIT: Duration = Duration::from_secs(2);

/// A proxy's secret is no word.
const SHORTEST_SECRET: usize = 16;

/// What the settings say.
pub struct Config {
    pub(crate) listen: SocketAddr,
    /// None: `http://` and the address that is listened on.
    pub(crate) url: Option<Url>,
    pub(crate) tls: Option<Tls>,
    pub(crate) proxies: TrustedProxies,
    pub(crate) proxy_login: Option<ProxyLogin>,
    pub(crate) database: DatabaseConfig,
}

/// How a proxy says who has logged in there.
pub(crate) struct ProxyLogin {
    /// In this header.
    pub(crate) user_header: axum::http::HeaderName,
    /// With this beside it.
    pub(crate) secret: Zeroizing<String>,
}

impl Config {
    /// Reads the settings.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let listen = settings.address(variables::CONSOLE_LISTEN)?;
        let tls = Tls::from_settings(settings)?;
        let proxies = TrustedProxies::from_settings(settings, variables::CONSOLE_TRUSTED_PROXIES)?;
        if !listen.ip().is_loopback() && tls.is_none() && proxies.is_empty() {
            return Err(SettingError::new(
                variables::CONSOLE_LISTEN,
                "is reached from elsewhere, and passwords would cross the network in the clear",
                "a loopback address, or TLS_CERT_FILE and TLS_KEY_FILE, or CONSOLE_TRUSTED_PROXIES",
            ));
        }
        let database = DatabaseConfig::from_settings(settings, "console")?;
        Ok(Self {
            listen,
            url: url(settings, listen, tls.is_some())?,
            tls,
            proxy_login: ProxyLogin::from_settings(settings, &proxies)?,
            proxies,
            database: database.with_statement_limit(STATEMENT_LIMIT),
        })
    }
}

/// `CONSOLE_URL`. Over plain http it is this machine's alone: a cookie would be sent in the clear.
fn url(
    settings: &Settings,
    listen: SocketAddr,
    is_encrypted: bool,
) -> Result<Option<Url>, SettingError> {
    let wrong = |problem: &str| {
        SettingError::new(
            variables::CONSOLE_URL,
            problem,
            "https:// and a host, such as https://console.example.org; http:// for a loopback address alone",
        )
    };
    let Some(text) = settings.optional(variables::CONSOLE_URL) else {
        return if listen.ip().is_loopback() && !is_encrypted {
            Ok(None)
        } else {
            Err(wrong("is not set"))
        };
    };
    let url = Url::parse(text).map_err(|_| wrong("is not a URL"))?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !url.has_host() || !is_bare || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("has more than a host"));
    }
    let is_loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => Ok(Some(url)),
        "http" if is_loopback => Ok(Some(url)),
        _ => Err(wrong("is not encrypted")),
    }
}

impl ProxyLogin {
    fn from_settings(
        settings: &Settings,
        proxies: &TrustedProxies,
    ) -> Result<Option<Self>, SettingError> {
        let (header, file) =
            (variables::CONSOLE_PROXY_USER_HEADER, variables::CONSOLE_PROXY_SECRET_FILE);
        let Some(name) = settings.optional(header) else {
            return match settings.optional(file) {
                None => Ok(None),
                Some(_) => Err(SettingError::new(header, "is not set", header.help)),
            };
        };
        let user_header = name
            .parse()
            .map_err(|_| SettingError::new(header, "is no name of a header", header.help))?;
        if proxies.is_empty() {
            return Err(SettingError::new(
                variables::CONSOLE_TRUSTED_PROXIES,
                "is not set",
                "the networks of the proxies that CONSOLE_PROXY_USER_HEADER is believed from",
            ));
        }
        let path = settings.required(file)?;
        let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
            SettingError::new(file, format!("cannot be read ({error})"), file.help)
        })?;
        let secret = Zeroizing::new(text.trim().to_owned());
        if secret.len() < SHORTEST_SECRET {
            return Err(SettingError::new(
                file,
                "is too short",
                "a file with 16 characters or more",
            ));
        }
        Ok(Some(Self { user_header, secret }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
        runtime::install_crypto_provider();
        let database = [("DATABASE_URL", "postgres://localhost/db")];
        let settings = Settings::from_pairs(database.iter().chain(pairs).copied());
        Config::from_settings(&settings).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_reached_from_elsewhere_in_the_clear() {
        assert!(read(&[]).is_ok());
        for (pairs, words) in [
            (&[("CONSOLE_LISTEN", "0.0.0.0:8088")][..], "CONSOLE_LISTEN: is reached"),
            (
                &[("CONSOLE_LISTEN", "0.0.0.0:8088"), ("CONSOLE_TRUSTED_PROXIES", "10.0.0.1")],
                "CONSOLE_URL: is not set",
            ),
            (&[("CONSOLE_URL", "http://console.example.org")], "CONSOLE_URL: is not encrypted"),
            (&[("CONSOLE_URL", "https://x.example/a")], "CONSOLE_URL: has more"),
            (&[("CONSOLE_URL", "https://u:p@x.example")], "CONSOLE_URL: has more"),
            (&[("CONSOLE_PROXY_USER_HEADER", "x-user")], "CONSOLE_TRUSTED_PROXIES: is not set"),
            (&[("CONSOLE_PROXY_SECRET_FILE", "/nowhere")], "CONSOLE_PROXY_USER_HEADER: is not"),
        ] {
            let error = read(pairs).err().unwrap();
            assert!(error.starts_with(words), "{error}");
        }
        let proxied = [
            ("CONSOLE_LISTEN", "0.0.0.0:8088"),
            ("CONSOLE_TRUSTED_PROXIES", "10.0.0.1"),
            ("CONSOLE_URL", "https://console.example.org"),
        ];
        assert!(read(&proxied).is_ok());
    }
}
