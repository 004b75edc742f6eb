//! Where a request comes from: its peer, or whom trusted proxies say that they stand for.

mod forwarded;

use std::net::IpAddr;

use hyper::{
    HeaderMap,
    header::{FORWARDED, HeaderName},
};
use ipnet::IpNet;
use runtime::{SettingError, Settings, Variable};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The networks of proxies that are believed: what others say of where a request comes from is anybody's
/// invention.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// The networks that `variable` names; none where it is not set.
    pub fn from_settings(settings: &Settings, variable: Variable) -> Result<Self, SettingError> {
        settings.networks(variable).map(Self)
    }

    /// Whether none is believed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a request comes from that `peer` sent with these headers: the nearest address that is
    /// no trusted proxy's, as far as trusted ones tell.
    pub fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        // On a socket for both, IPv4 has a form of IPv6.
        let peer = peer.to_canonical();
        if !self.trust(peer) {
            return peer;
        }
        let told = |name: &HeaderName, read: fn(&str) -> Vec<Option<IpAddr>>| {
            headers.contains_key(name).then(|| self.walk(peer, &hops(headers, name, read)))
        };
        let standard = told(&FORWARDED, forwarded::standard);
        let usual = told(&X_FORWARDED_FOR, forwarded::usual);
        match (standard, usual) {
            // A proxy that adds to the one may let the other pass, whoever wrote it.
            (Some(one), Some(other)) if one != other => peer,
            (one, other) => one.or(other).unwrap_or(peer),
        }
    }

    /// From hop to hop, as long as each was told by a proxy that is trusted.
    fn walk(&self, peer: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut origin = peer;
        for hop in hops.iter().rev() {
            match hop {
                Some(address) if self.trust(origin) => origin = address.to_canonical(),
                _ => break,
            }
        }
        origin
    }

    /// Whether this is one of them.
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The hops of all lines of a header, the nearest last; none for what names no address.
fn hops(
    headers: &HeaderMap,
    name: &HeaderName,
    read: fn(&str) -> Vec<Option<IpAddr>>,
) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(name).iter();
    lines.flat_map(|line| line.to_str().map_or_else(|_| vec![None], read)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let trusted = Settings::from_pairs([(
            "GATEWAY_TRUSTED_PROXIES",
            "10.0.0.0/8, 192.0.2.1, 2001:db8:1::/48",
        )]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted =
            TrustedProxies::from_settings(&trusted, runtime::variables::GATEWAY_TRUSTED_PROXIES)
                .unwrap();
        trusted.origin(peer.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn only_trusted_peers_are_believed() {
        let header = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=203.0.113.7")];
        for (peer, expected) in [
            ("198.51.100.1", "198.51.100.1"),
            ("10.1.2.3", "203.0.113.7"),
            ("::ffff:10.1.2.3", "203.0.113.7"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            ("192.0.2.1", "203.0.113.7"),
            ("192.0.2.2", "192.0.2.2"),
            ("2001:db8:1::5", "203.0.113.7"),
        ] {
            assert_eq!(origin(peer, &header), expected, "{peer}");
            assert_eq!(origin(peer, &[]), peer.trim_start_matches("::ffff:"));
        }
    }

    #[test]
    fn the_nearest_that_is_no_proxy_of_ours_is_who_it_is() {
        for (list, expected) in [
            ("1.1.1.1, 203.0.113.7", "203.0.113.7"),
            ("1.1.1.1, 203.0.113.7, 10.0.0.9", "203.0.113.7"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            // All of them are proxies: it began with the farthest.
            ("10.0.0.1, 10.0.0.2", "10.0.0.1"),
            // What cannot be read hides what is behind it.
            ("203.0.113.7, unknown, 10.0.0.9", "10.0.0.9"),
            ("1.1.1.1, nonsense", "10.1.2.3"),
            ("", "10.1.2.3"),
        ] {
            assert_eq!(origin("10.1.2.3", &[("x-forwarded-for", list)]), expected, "{list}");
        }
        let lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.7")];
        assert_eq!(origin("10.1.2.3", &lines), "203.0.113.7");
    }

    #[test]
    fn two_headers_that_differ_are_both_not_believed() {
        let headers = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=203.0.113.8")];
        assert_eq!(origin("10.1.2.3", &headers), "10.1.2.3");
    }
}
