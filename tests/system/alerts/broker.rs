//! RabbitMQ without room on its disk, and RabbitMQ away.

use std::time::Duration;

use chrono::Utc;
use harness::{TestSystem, eventually};

use super::prometheus::{Alert, Prometheus};
use crate::worker::campus_under_test::CampusUnderTest;

pub(super) const ALERTS: [&str; 5] =
    ["BacklogUnknown", "NoGateway", "NoWorker", "WebhooksAnswered503", "WebhooksNotQueued"];

/// Of a broker that is away; the fifth looks back over the alarm before it.
const AWAY: [&str; 4] = ["BacklogUnknown", "NoGateway", "NoWorker", "WebhooksAnswered503"];

const BACK_WITHIN: Duration = Duration::from_mins(1);

pub(super) async fn fails() {
    let system = TestSystem::builder().own_servers().spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = system.core.member_id(campus.church_id(), 0).unwrap();
    campus.sync("member.updated", &member).await;
    let prometheus = Prometheus::watching(&system).await;
    prometheus.until("queue_messages{queue=\"member-events.work\"} == 0").await;
    prometheus.until_quiet(&ALERTS).await;
    let post = async || system.post(&campus, &campus.body("member.updated", &member)).await.status;
    let is_refused = async |alerts: &[Alert<'_>]| {
        let since = Utc::now();
        assert_eq!([post().await, post().await], [503; 2]);
        prometheus.announces(since, alerts).await;
    };

    let broker = &system.servers().rabbitmq;
    let disk = async |limit: &str| broker.control(&["set_disk_free_limit", limit]).await.unwrap();
    disk("1000000GB").await;
    eventually("the broker takes nothing", BACK_WITHIN, async || post().await == 503).await;
    // Its connections stand, so the gateway is ready.
    is_refused(&[("WebhooksAnswered503", None), ("WebhooksNotQueued", None)]).await;
    disk("50MB").await;
    eventually("the broker takes events again", BACK_WITHIN, async || post().await == 202).await;
    prometheus.until_quiet(&AWAY).await;

    broker.kill();
    is_refused(&AWAY.map(|alert| (alert, None))).await;
}
