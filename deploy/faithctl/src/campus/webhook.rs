//! Where a church sends its webhooks to.

use url::Url;

/// The gateway's path for webhooks.
pub(crate) const PATH: &str = "/api/sync/webhook";

/// The gateway's address with the webhook path, where the address has not got it already.
pub(crate) fn webhook_url(gateway: &Url) -> Url {
    let mut url = gateway.clone();
    let path = url.path().trim_end_matches('/');
    if !path.ends_with("/sync/webhook") {
        let path = format!("{path}{PATH}");
        url.set_path(&path);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_gets_the_path_and_a_whole_address_keeps_its_own() {
        for (given, expected) in [
            ("https://x.org", "https://x.org/api/sync/webhook"),
            ("https://x.org/", "https://x.org/api/sync/webhook"),
            ("https://x.org/faith/", "https://x.org/faith/api/sync/webhook"),
            ("http://127.0.0.1:8080/sync/webhook", "http://127.0.0.1:8080/sync/webhook"),
            ("https://x.org/api/sync/webhook", "https://x.org/api/sync/webhook"),
        ] {
            assert_eq!(webhook_url(&Url::parse(given).unwrap()).as_str(), expected);
        }
    }
}
