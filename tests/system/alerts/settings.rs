//! Settings that are wrong without ending a program, senders that are, and what is used up.

use chrono::Utc;
use futures_util::future::join_all;
use harness::TestSystem;
use reqwest::Url;
use tokio::net::TcpStream;

use super::prometheus::Prometheus;
use crate::worker::campus_under_test::CampusUnderTest;

pub(super) const ALERTS: [&str; 5] = [
    "CampusRefused",
    "ConnectionsNearlyUsedUp",
    "NothingAccepted",
    "WebhookSecretOld",
    "WebhookSecretUnreadable",
];

/// So many files that the gateway takes two hundred connections.
const OPEN_FILES: u32 = 264;
const CONNECTIONS: usize = 190;

/// 32 bytes in base64, and not those of the other programs.
const OTHER_KEY: &str = "YW5vdGhlciBrZXkgdGhhbiB0aGF0IG9mIHRoZSByZXM=";

/// Gateways are told of a campus where its secret is set.
const OLD_SECRET: &str = "
    UPDATE sync_configs SET webhook_secret_set_at = now() - interval '100 days',
                            webhook_secret_sealed = webhook_secret_sealed";

pub(super) async fn are_wrong() {
    let builder = TestSystem::builder().open_files(OPEN_FILES).variable("RETRY_DELAYS", "2s");
    let system = builder.spawn().await;
    let campus = CampusUnderTest::first(&system);
    let prometheus = Prometheus::watching(&system).await;
    // The first refusal of a campus makes its series.
    let body = campus.body("member.updated", "m-1").to_bytes();
    assert_eq!(system.post_signed("another secret", &body).await.status, 401);
    prometheus.until("gateway_campus_refusals_total > 0").await;
    prometheus.until_quiet(&ALERTS).await;

    let since = Utc::now();
    for _ in 0..25 {
        assert_eq!(system.post_signed("another secret", &body).await.status, 401);
    }
    system.database.client().batch_execute(OLD_SECRET).await.unwrap();
    let gateway: Url = system.gateway_url().parse().unwrap();
    let address = (gateway.host_str().unwrap(), gateway.port().unwrap());
    let connections = join_all((0..CONNECTIONS).map(|_| TcpStream::connect(address))).await;
    let of_gateway =
        ["CampusRefused", "NothingAccepted", "WebhookSecretOld", "ConnectionsNearlyUsedUp"];
    prometheus.announces(since, &of_gateway.map(|alert| (alert, None))).await;
    drop(connections);

    // A worker that cannot open what the core's login needs.
    let since = Utc::now();
    let worker = system.worker(0);
    worker.kill();
    worker.wait().await;
    worker.set_variable("SECRETS_KEY", OTHER_KEY);
    system.start_again("worker", 0).await;
    for row in 0..20 {
        let member = system.core.member_id(campus.church_id(), row).unwrap();
        campus.post("member.updated", &member).await;
    }
    // Nor can the gateway open what a signature needs.
    let gateway = system.gateway(0);
    gateway.kill();
    gateway.wait().await;
    gateway.set_variable("SECRETS_KEY", OTHER_KEY);
    gateway.start().unwrap();
    let of_key = [("CampusFailing", Some(campus.id.as_str())), ("WebhookSecretUnreadable", None)];
    prometheus.announces(since, &of_key).await;
}
