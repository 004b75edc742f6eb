//! Whether FaithFlow would take the webhook address that `PUBLIC_URL` leads to. Its newest version refuses
//! private addresses, port 8080, and the ports of well-known services.

use std::net::IpAddr;

use core_api::is_public_address;
use url::{Host, Url};

use super::check::Report;
use crate::environment::Environment;

pub(super) fn check(report: &mut Report, environment: &Environment) {
    // A setting that cannot be read has been reported.
    let Ok(Some(url)) = environment.public_url() else { return };
    if let Some(problem) = problem(&url) {
        report.warn(
            "PUBLIC_URL",
            format!("{problem}: the newest FaithFlow takes no such webhook URL"),
            "lead senders to a proxy on port 443, or to a port of its own, under a public name",
        );
    }
}

fn problem(url: &Url) -> Option<String> {
    let address: Option<IpAddr> = match url.host()? {
        Host::Domain("localhost") => return None,
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
    };
    // Who points at this machine is trying things out.
    if address.is_some_and(|address| address.is_loopback()) {
        return None;
    }
    if address.is_some_and(|address| !is_public_address(address)) {
        return Some("its address is private".to_owned());
    }
    // Of a default port `url` tells none.
    let port = url.port()?;
    (port == 8080 || (port < 1024 && port != 80 && port != 443))
        .then(|| format!("port {port} is that of another service"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_faithflow_refuses_is_worth_a_look() {
        let problem = |url: &str| problem(&Url::parse(url).unwrap());
        for good in [
            "https://sync.example.org",
            "http://sync.example.org:8443",
            "https://9.9.9.9:443",
            "http://127.0.0.1:8080",
        ] {
            assert_eq!(problem(good), None, "{good}");
        }
        for private in ["https://10.0.0.5", "https://[fd00::1]/", "http://192.168.0.9:9000"] {
            assert_eq!(problem(private).unwrap(), "its address is private", "{private}");
        }
        for port in ["https://sync.example.org:8080", "https://sync.example.org:22"] {
            assert!(problem(port).unwrap().ends_with("is that of another service"), "{port}");
        }
    }
}
