//! What the programs of a test find in their environment.

use std::collections::BTreeMap;

use support::servers::PrivateServers;

use super::{broker::TestBroker, database::TestDatabase, role::Role};

/// 32 bytes in base64.
const SECRETS_KEY: &str = "dGhlIHNlY3JldHMga2V5IG9mIHRoZSB0ZXN0cywgMzI=";

/// The variables of a program that works under `role`; those that it does not read do no harm.
pub(super) fn variables(
    role: Role,
    database: &TestDatabase,
    broker: &TestBroker,
) -> BTreeMap<String, String> {
    let amqp_url = broker.url_as(role).unwrap_or_else(|| broker.url().to_owned());
    [
        ("DATABASE_URL", database.url_as(role).as_str()),
        ("AMQP_URL", &amqp_url),
        ("SECRETS_KEY", SECRETS_KEY),
        ("GATEWAY_LISTEN", "127.0.0.1:0"),
        ("GATEWAY_ADMIN_LISTEN", "127.0.0.1:0"),
        ("WORKER_ADMIN_LISTEN", "127.0.0.1:0"),
        ("RECONCILER_ADMIN_LISTEN", "127.0.0.1:0"),
        ("CONSOLE_LISTEN", "127.0.0.1:0"),
        ("CONSOLE_ADMIN_LISTEN", "127.0.0.1:0"),
        // The simulated core speaks plain http on the loopback interface.
        ("CORE_URLS_ALLOW", "127.0.0.1"),
        ("LOG_FORMAT", "json"),
        ("RUST_LOG", &std::env::var("TEST_RUST_LOG").unwrap_or_else(|_| "info".to_owned())),
        ("RUST_BACKTRACE", "1"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// Sends a program over TLS to servers that speak it, and lets it check them as far as can be.
pub(super) fn encrypt(
    variables: &mut BTreeMap<String, String>,
    servers: &PrivateServers,
    vhost: &str,
) {
    let authority = servers.authority().expect("the servers speak TLS").to_str().unwrap();
    let mut database: reqwest::Url = variables["DATABASE_URL"].parse().unwrap();
    // The name in the servers' certificates.
    database.set_host(Some("localhost")).unwrap();
    database.set_query(Some(&format!("sslmode=verify-full&sslrootcert={authority}")));
    let broker = servers.rabbitmq.encrypted_url().expect("the broker speaks TLS");
    variables.extend([
        ("DATABASE_URL".to_owned(), database.into()),
        ("AMQP_URL".to_owned(), format!("{broker}/{vhost}")),
        ("AMQP_CA_FILE".to_owned(), authority.to_owned()),
    ]);
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};

    #[test]
    fn the_key_has_32_bytes() {
        assert_eq!(BASE64_STANDARD.decode(super::SECRETS_KEY).unwrap().len(), 32);
    }
}
