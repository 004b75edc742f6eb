//! The hosts that a core API may have although they are plain http or a private address.

use std::{net::Ipv6Addr, str::FromStr};

use runtime::{SettingError, Settings, variables};
use thiserror::Error;
use url::{Host, Url};

/// The hosts that `CORE_URLS_ALLOW` names: they may be plain http or have a private address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<AllowedHost>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct AllowedHost {
    host: Host,
    /// None: any port.
    port: Option<u16>,
}

/// An entry is neither a host nor a host with a port.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{entry:?} is no host: expected names or addresses, comma-separated, each with :port or without"
)]
pub struct BadAllowedHost {
    entry: String,
}

impl FromStr for AllowedHosts {
    type Err = BadAllowedHost;

    /// Reads `core.internal, 10.0.0.5:8001, [::1]`; blank text allows none.
    fn from_str(text: &str) -> Result<Self, BadAllowedHost> {
        text.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                AllowedHost::parse(entry).ok_or_else(|| BadAllowedHost { entry: entry.to_owned() })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl AllowedHosts {
    /// Reads `CORE_URLS_ALLOW`.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let text = settings.optional(variables::CORE_URLS_ALLOW).unwrap_or_default();
        text.parse().map_err(|_: BadAllowedHost| {
            SettingError::new(
                variables::CORE_URLS_ALLOW,
                "has an entry that is no host",
                "names or addresses, comma-separated, each with :port or without: core.internal,10.0.0.5:8001",
            )
        })
    }

    /// Whether the operator named this address's host, with its port or with none.
    pub(crate) fn names(&self, url: &Url) -> bool {
        self.0.iter().any(|allowed| {
            url.host().is_some_and(|host| host.to_owned() == allowed.host)
                && allowed.port.is_none_or(|port| url.port_or_known_default() == Some(port))
        })
    }

    /// Whether the operator named this host with any port. A resolver is asked about names only; the
    /// port was checked when the endpoint was read.
    pub(crate) fn names_host(&self, name: &str) -> bool {
        Host::parse(name).is_ok_and(|host| self.0.iter().any(|allowed| allowed.host == host))
    }
}

impl AllowedHost {
    fn parse(entry: &str) -> Option<Self> {
        if let Ok(address) = entry.parse::<Ipv6Addr>() {
            return Some(Self { host: Host::Ipv6(address), port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !entry.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (entry, None),
        };
        Some(Self { host: Host::parse(host).ok()?, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_hosts_with_or_without_a_port() {
        let allowed: AllowedHosts = "Core.internal, 10.0.0.5:8001 ,[::1]:9, ::2,".parse().unwrap();
        let named = |url| allowed.names(&Url::parse(url).unwrap());
        assert!(named("http://core.INTERNAL/x") && named("https://core.internal:9/x"));
        assert!(named("http://10.0.0.5:8001") && !named("http://10.0.0.5"));
        assert!(named("http://[::1]:9") && !named("http://[::1]") && named("http://[::2]:1"));
        assert!(!named("http://internal") && !named("http://evil.core.internal"));
        assert!(allowed.names_host("core.internal") && !allowed.names_host("other"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["http://x", "x/y", "x:port", "x:99999", "a b", "x:"] {
            assert!(text.parse::<AllowedHosts>().is_err(), "{text}");
        }
        assert_eq!(" , ".parse(), Ok(AllowedHosts::default()));
    }
}
