//! Where a campus's core API is.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;
use url::{Host, Url};

use crate::{AllowedHosts, Call, Operation, public_address::is_public_address};

/// All but the unreserved characters of RFC 3986, so that an id is one path segment whatever is in it.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a campus's configuration says of its core API.
#[derive(Clone, Copy, Debug)]
pub struct EndpointParts<'a> {
    /// `https://core.example.org`, possibly with a path.
    pub base_url: &'a str,
    /// `/api`.
    pub path_prefix: &'a str,
    /// `/auth/login`, after the prefix.
    pub login_path: &'a str,
    /// `/members/`, after the prefix. Its trailing slash matters: without it the core redirects.
    pub members_path: &'a str,
}

/// A core API's addresses, found to be such that asking them is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    login: Url,
    members: Url,
    /// What the encoded id of a member is put after.
    member_base: String,
    /// What people are told of the requests: to log in, for a member, for the list.
    calls: [Call; 3],
}

/// Why a core API's address is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// The base is no URL with a host.
    #[error(
        "the core API's URL is not a URL: expected https://host, with a port or path where needed"
    )]
    NotAUrl,
    /// The scheme is neither https nor, for named hosts, http.
    #[error("the core API's URL must be https, or its host be named in CORE_URLS_ALLOW")]
    NotHttps,
    /// A password in a URL ends up in logs.
    #[error("the core API's URL must not hold a user or password")]
    UserInfo,
    /// The base has more than a path.
    #[error("the core API's URL must not have a query or fragment")]
    QueryOrFragment,
    /// The host is an address of this machine or its neighbourhood.
    #[error("the core API's URL must not be a private address, or be named in CORE_URLS_ALLOW")]
    PrivateAddress,
    /// A path has a query, a fragment, spaces, or leads upwards.
    #[error("the core API's {which} is not a path: expected one such as {example}")]
    BadPath {
        /// Which of the paths.
        which: &'static str,
        /// A good one.
        example: &'static str,
    },
}

impl Endpoint {
    /// Reads and checks a core API's address: when it is saved, and again whenever it is used.
    ///
    /// A host name that *resolves* to a private address is refused later, by the client's own resolver,
    /// because names can change their addresses.
    pub fn parse(parts: EndpointParts<'_>, allowed: &AllowedHosts) -> Result<Self, EndpointError> {
        let base = parse_base(parts.base_url, allowed)?;
        let prefix = path(parts.path_prefix, "path prefix", "/api")?;
        let login_path = path(parts.login_path, "login path", "/auth/login")?;
        let members_path = path(parts.members_path, "members path", "/members/")?;
        let root =
            format!("{}{}", base.as_str().trim_end_matches('/'), prefix.trim_end_matches('/'));
        let join =
            |path: &str| Url::parse(&format!("{root}{path}")).map_err(|_| EndpointError::NotAUrl);
        let (login, members) = (join(&login_path)?, join(&members_path)?);
        let member_base = format!("{root}/members/");
        let member_path = Url::parse(&member_base).map_err(|_| EndpointError::NotAUrl)?;
        let calls = [
            Call::new(Operation::LogIn, login.path()),
            Call::new(Operation::FetchMember, &format!("{}{{id}}", member_path.path())),
            Call::new(Operation::ListMembers, members.path()),
        ];
        Ok(Self { login, members, member_base, calls })
    }

    /// The host with its port: logins to one host share a budget.
    pub fn host_and_port(&self) -> String {
        let host = self.login.host_str().unwrap_or_default();
        match self.login.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// What people are told of a request: its path without ids.
    pub(crate) fn call(&self, operation: Operation) -> Call {
        let [login, member, list] = &self.calls;
        match operation {
            Operation::LogIn => login.clone(),
            Operation::FetchMember => member.clone(),
            Operation::ListMembers => list.clone(),
        }
    }

    pub(crate) fn login(&self) -> Url {
        self.login.clone()
    }

    pub(crate) fn page(&self, skip: u64, limit: u32) -> Url {
        let mut url = self.members.clone();
        url.query_pairs_mut()
            .append_pair("skip", &skip.to_string())
            .append_pair("limit", &limit.to_string());
        url
    }

    /// None for an id that cannot be a path segment: an empty one would ask for the list, and dots climb
    /// the path even when they are encoded (WHATWG URL, double-dot path segment).
    pub(crate) fn member(&self, id: &str) -> Option<Url> {
        if matches!(id, "" | "." | "..") {
            return None;
        }
        Url::parse(&format!("{}{}", self.member_base, utf8_percent_encode(id, SEGMENT))).ok()
    }
}

fn parse_base(text: &str, allowed: &AllowedHosts) -> Result<Url, EndpointError> {
    let base = Url::parse(text.trim()).map_err(|_| EndpointError::NotAUrl)?;
    let host = base.host().ok_or(EndpointError::NotAUrl)?;
    let named = allowed.names(&base);
    match base.scheme() {
        "https" => {}
        "http" if named => {}
        _ => return Err(EndpointError::NotHttps),
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(EndpointError::UserInfo);
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(EndpointError::QueryOrFragment);
    }
    let public = match host {
        // Other names are looked up when they are used; this one means this machine everywhere (RFC 6761).
        Host::Domain(name) => !is_localhost(name),
        Host::Ipv4(address) => is_public_address(address.into()),
        Host::Ipv6(address) => is_public_address(address.into()),
    };
    if public || named { Ok(base) } else { Err(EndpointError::PrivateAddress) }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// The path with a slash before it; nothing stays nothing.
fn path(text: &str, which: &'static str, example: &'static str) -> Result<String, EndpointError> {
    let text = text.trim();
    let climbs = text.split('/').any(|segment| matches!(segment, "." | ".."));
    let odd = text.contains(|c: char| c.is_whitespace() || c.is_control() || "?#\\".contains(c));
    if climbs || odd {
        return Err(EndpointError::BadPath { which, example });
    }
    Ok(if text.is_empty() || text.starts_with('/') { text.to_owned() } else { format!("/{text}") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(base_url: &str) -> EndpointParts<'_> {
        EndpointParts {
            base_url,
            path_prefix: "/api",
            login_path: "/auth/login",
            members_path: "/members/",
        }
    }

    fn endpoint(base_url: &str) -> Endpoint {
        Endpoint::parse(parts(base_url), &AllowedHosts::default()).unwrap()
    }

    #[test]
    fn addresses_are_put_together() {
        for base in ["https://core.example.org", " https://core.example.org/ "] {
            let endpoint = endpoint(base);
            assert_eq!(endpoint.login().as_str(), "https://core.example.org/api/auth/login");
            assert_eq!(
                endpoint.page(200, 100).as_str(),
                "https://core.example.org/api/members/?skip=200&limit=100"
            );
            assert_eq!(
                endpoint.member("a-1").unwrap().as_str(),
                "https://core.example.org/api/members/a-1"
            );
            assert_eq!(endpoint.host_and_port(), "core.example.org:443");
        }
        let nested = endpoint("https://x.org:8443/faith/");
        let calls = [Operation::LogIn, Operation::FetchMember, Operation::ListMembers]
            .map(|operation| nested.call(operation).to_string());
        assert_eq!(
            calls,
            [
                "POST /faith/api/auth/login",
                "GET /faith/api/members/{id}",
                "GET /faith/api/members/"
            ]
        );
        assert_eq!(nested.login().as_str(), "https://x.org:8443/faith/api/auth/login");
        assert_eq!(nested.host_and_port(), "x.org:8443");
        let bare =
            EndpointParts { path_prefix: "", members_path: "people", ..parts("https://x.org") };
        let bare = Endpoint::parse(bare, &AllowedHosts::default()).unwrap();
        assert_eq!(bare.page(0, 1).as_str(), "https://x.org/people?skip=0&limit=1");
    }

    #[test]
    fn an_id_is_one_segment_whatever_is_in_it() {
        let url = endpoint("https://x.org").member("a/b?c#d %2e;é").unwrap();
        assert_eq!(url.as_str(), "https://x.org/api/members/a%2Fb%3Fc%23d%20%252e%3B%C3%A9");
        for id in ["", ".", ".."] {
            assert_eq!(endpoint("https://x.org").member(id), None);
        }
    }

    #[test]
    fn unsafe_addresses_are_refused() {
        let refusal = |base| Endpoint::parse(parts(base), &AllowedHosts::default()).unwrap_err();
        assert_eq!(refusal("core.example.org"), EndpointError::NotAUrl);
        assert_eq!(refusal(""), EndpointError::NotAUrl);
        assert_eq!(refusal("http://core.example.org"), EndpointError::NotHttps);
        assert_eq!(refusal("ftp://core.example.org"), EndpointError::NotHttps);
        assert_eq!(refusal("https://u:p@core.example.org"), EndpointError::UserInfo);
        assert_eq!(refusal("https://core.example.org?x=1"), EndpointError::QueryOrFragment);
        assert_eq!(refusal("https://core.example.org#x"), EndpointError::QueryOrFragment);
        for base in [
            "https://127.0.0.1",
            "https://0x7f.1",
            "https://2130706433",
            "https://[::1]",
            "https://10.0.0.1",
            "https://localhost:8443",
            "https://core.LocalHost.",
        ] {
            assert_eq!(refusal(base), EndpointError::PrivateAddress, "{base}");
        }
        for path_prefix in ["/api?x", "/a b", "/../x", "/a#", "\\api"] {
            let parts = EndpointParts { path_prefix, ..parts("https://x.org") };
            assert!(Endpoint::parse(parts, &AllowedHosts::default()).is_err(), "{path_prefix}");
        }
    }

    #[test]
    fn named_hosts_may_be_plain_and_private() {
        let allowed = "127.0.0.1:8001,core.internal,localhost".parse().unwrap();
        for base in [
            "http://localhost",
            "http://127.0.0.1:8001",
            "http://core.internal",
            "https://core.internal:9",
        ] {
            assert!(Endpoint::parse(parts(base), &allowed).is_ok(), "{base}");
        }
        assert_eq!(
            Endpoint::parse(parts("http://127.0.0.1:8002"), &allowed),
            Err(EndpointError::NotHttps)
        );
    }

    proptest! {
        #[test]
        fn no_id_leaves_its_segment(id in "\\PC{1,20}|[./%?#\\\\]{1,6}") {
            prop_assume!(!matches!(id.as_str(), "." | ".."));
            let url = endpoint("https://x.org").member(&id).unwrap();
            prop_assert_eq!(url.path_segments().unwrap().count(), 3);
            prop_assert!(url.as_str().starts_with("https://x.org/api/members/"));
            prop_assert!(url.query().is_none() && url.fragment().is_none());
        }
    }
}
