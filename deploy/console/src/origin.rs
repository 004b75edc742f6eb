//! Which address the console has for browsers: requests to another are not for it, and those that another page made are
//! not its own.

use axum::http::{HeaderMap, HeaderName, Uri, header};
use url::Url;

/// The address that browsers know the console by.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// As browsers write it in `Origin`.
    text: String,
    host: String,
    port: Option<u16>,
    /// Whether browsers reach it over TLS.
    pub(crate) is_encrypted: bool,
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

impl Origin {
    pub(crate) fn of(url: &Url) -> Self {
        Self {
            text: url.origin().ascii_serialization(),
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default(),
            is_encrypted: url.scheme() == "https",
        }
    }

    /// Whether a request is for this address: a name that somebody lets point here, to loopback too, is not.
    pub(crate) fn is_host_of(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (uri.authority(), hosts.next(), hosts.next()) {
            (Some(authority), _, None) => authority.as_str(),
            (None, Some(host), None) => host.to_str().unwrap_or_default(),
            _ => return false,
        };
        let scheme = if self.is_encrypted { "https" } else { "http" };
        let Ok(url) = Url::parse(&format!("{scheme}://{host}/")) else { return false };
        url.host_str() == Some(&self.host)
            && url.port_or_known_default() == self.port
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
    }

    /// Whether a page of ours made the request, as the browser tells.
    pub(crate) fn is_own_request(&self, headers: &HeaderMap) -> bool {
        match headers.get(SEC_FETCH_SITE) {
            Some(site) => site == "same-origin",
            None => headers.get(header::ORIGIN).is_some_and(|origin| *origin == *self.text),
        }
    }

    /// Whether somebody followed a link from another site: the browser does not send our cookie with that.
    pub(crate) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
        headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "cross-site" || site == "same-site")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn other_hosts_are_not_ours() {
        let origin = Origin::of(&Url::parse("https://console.example.org").unwrap());
        let is_ours =
            |host: &str| origin.is_host_of(&Uri::from_static("/"), &headers(&[("host", host)]));
        for ours in ["console.example.org", "CONSOLE.example.org", "console.example.org:443"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in [
            "example.org",
            "console.example.org:80",
            "console.example.org.evil.org",
            "127.0.0.1",
            "",
            "x@console.example.org",
            "console.example.org/x",
            "console.example.org, evil.org",
        ] {
            assert!(!is_ours(other), "{other}");
        }
        let twice = headers(&[("host", "console.example.org"), ("host", "evil.org")]);
        assert!(!origin.is_host_of(&Uri::from_static("/"), &twice));
        assert!(!origin.is_host_of(&Uri::from_static("/"), &HeaderMap::new()));
    }

    #[test]
    fn a_request_is_ours_where_the_browser_says_so() {
        let origin = Origin::of(&Url::parse("http://127.0.0.1:8088").unwrap());
        let ours = "http://127.0.0.1:8088";
        for (pairs, is_own) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site"), ("origin", ours)], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", ours)], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", ours)], true),
            (&[("origin", "http://127.0.0.1:8089")], false),
            (&[("origin", "null")], false),
            (&[], false),
        ] {
            assert_eq!(origin.is_own_request(&headers(pairs)), is_own, "{pairs:?}");
        }
    }
}
