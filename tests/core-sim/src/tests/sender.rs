//! The sender posts what FaithFlow posts, when FaithFlow posts it.

use serde_json::{Value, json};

use super::super::{
    CoreSim, DeliveryState, FIRST_CHURCH_ID, RandomChanges, Webhook, WebhookBody, sign,
};
use super::receiver::Receiver;
use super::{DEADLINE, first_member, sample_text, start};

const SECRET: &str = "TFRuCW5KkeGC_YF_wrBLabcdefghijkl";

async fn sending(receiver: &Receiver) -> CoreSim {
    let sim = start(5).await;
    sim.set_webhook(FIRST_CHURCH_ID, &receiver.url, SECRET).unwrap();
    sim.set(|settings| {
        settings.sender = true;
        settings.time_scale = 0.0001;
    });
    sim
}

#[tokio::test]
async fn changes_are_posted_like_the_recorded_ones() {
    let receiver = Receiver::start([]).await;
    let sim = sending(&receiver).await;
    let fields = json!({"full_name": "Yohanes Đặng 李"});
    let created = sim.create(FIRST_CHURCH_ID, fields, Webhook::AsUsual).unwrap();
    let id = created.member.text("id").unwrap().to_owned();
    assert!(sim.sender_idle(DEADLINE).await);
    sim.change(&id, json!({"is_active": false}), Webhook::AsUsual).unwrap();
    assert!(sim.sender_idle(DEADLINE).await);
    sim.delete(&id, Webhook::AsUsual).unwrap();
    assert!(sim.sender_idle(DEADLINE).await);
    sim.send(FIRST_CHURCH_ID, WebhookBody::test(FIRST_CHURCH_ID)).unwrap();
    assert!(sim.sender_idle(DEADLINE).await);

    let posts = receiver.posts();
    let recorded = ["1-member.created", "4-member.updated", "5-member.deleted", "6-test"];
    assert_eq!(posts.len(), recorded.len());
    for (post, recorded) in posts.iter().zip(recorded) {
        let body = std::str::from_utf8(&post.body).unwrap();
        let recorded_body = sample_text(&format!("webhook-{recorded}.body"));
        assert_eq!(keys(body), keys(&recorded_body), "{recorded}");
        assert!(body.is_ascii() && !body.contains(": "));
        let signature = sign(SECRET, &post.body);
        assert_eq!(post.header("X-Webhook-Signature"), Some(signature.as_str()));

        let recorded_head = sample_text(&format!("webhook-{recorded}.headers"));
        let names = |head: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let mut names: Vec<_> = lines.map(|(name, _)| name.to_lowercase()).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(&post.head), names(&recorded_head), "{recorded}");
        for name in ["Accept", "Accept-Encoding", "Connection", "User-Agent", "Content-Type"] {
            let line = recorded_head.lines().find(|line| line.starts_with(&format!("{name}: ")));
            assert_eq!(post.header(name), line.unwrap().split_once(": ").map(|(_, value)| value));
        }
    }
    let update: Value = serde_json::from_slice(&posts[1].body).unwrap();
    assert_eq!(update["changes"]["is_active"], false);
    assert_eq!(update["event_id"], posts[1].header("X-Event-ID").unwrap());
    assert!(String::from_utf8_lossy(&posts[0].body).contains(r"Yohanes \u0110\u1eb7ng \u674e"));
}

/// The keys of a text of JSON in the order in which they stand, at every level.
fn keys(text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('"') {
        rest = &rest[start + 1..];
        let end = rest.find('"').unwrap();
        if rest[end + 1..].starts_with(':') {
            keys.push(rest[..end].to_owned());
        }
        rest = &rest[end + 1..];
    }
    // Updates name what was changed, which is not the same here and there.
    let changes = keys.iter().position(|key| key == "changes").unwrap_or(keys.len());
    keys.truncate(changes + 1);
    keys
}

#[tokio::test]
async fn failures_are_tried_again_with_the_same_bytes_and_then_dropped() {
    let receiver = Receiver::start([503, 204, 307, 404, 0, 200]).await;
    let sim = sending(&receiver).await;
    let id = first_member(&sim);
    let event_id = sim.delete(&id, Webhook::AsUsual).unwrap().event_id.unwrap();
    assert!(sim.sender_idle(DEADLINE).await);
    let delivery = sim.delivery(&event_id).unwrap();
    assert_eq!(delivery.state, DeliveryState::Dropped);
    let statuses: Vec<_> = delivery.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(503), Some(204), Some(307), Some(404)]);
    let posts = receiver.posts();
    assert!(posts.iter().all(|post| post.body == posts[0].body));

    // No answer, then another secret, then success.
    sim.set(|settings| {
        settings.first_timeout_ms = 500;
        settings.time_scale = 0.2;
    });
    let event_id = sim.restore(&id, Webhook::Forced).unwrap().event_id.unwrap();
    assert!(sim.first_tries_done(DEADLINE).await);
    assert_eq!(sim.delivery(&event_id).unwrap().state, DeliveryState::Pending);
    sim.set_webhook(FIRST_CHURCH_ID, &receiver.url, "another").unwrap();
    assert!(sim.sender_idle(DEADLINE).await);
    let delivery = sim.delivery(&event_id).unwrap();
    assert_eq!(delivery.state, DeliveryState::Delivered);
    assert_eq!(delivery.attempts[0].error, Some("timeout"));
    assert!(delivery.attempts[0].latency_ms >= 500.0);
    let [.., first, second] = &receiver.posts()[..] else { panic!("two tries") };
    assert_eq!(first.header("X-Webhook-Signature"), Some(sign(SECRET, &first.body).as_str()));
    assert_eq!(second.header("X-Webhook-Signature"), Some(sign("another", &second.body).as_str()));
    assert_eq!(first.body, second.body);
    assert_eq!(sim.delivered_event_ids(), [event_id]);
}

#[tokio::test]
async fn only_what_faithflow_tells_is_posted() {
    let receiver = Receiver::start([]).await;
    let sim = sending(&receiver).await;
    let id = first_member(&sim);
    sim.delete(&id, Webhook::Silent).unwrap();
    assert_eq!(sim.restore(&id, Webhook::AsUsual).unwrap().event_id, None);
    assert_eq!(sim.purge(&id, Webhook::AsUsual), Ok(None));
    sim.import(FIRST_CHURCH_ID, 3, Webhook::AsUsual).unwrap();
    sim.set(|settings| settings.sender = false);
    sim.create(FIRST_CHURCH_ID, json!({"full_name": "A"}), Webhook::AsUsual).unwrap();
    assert!(sim.deliveries().is_empty());
    sim.import(FIRST_CHURCH_ID, 3, Webhook::Forced).unwrap();
    sim.send_event(FIRST_CHURCH_ID, "member.updated", "unknown").unwrap();
    assert_eq!(sim.deliveries().len(), 4);

    // The other church has no webhook.
    let other = sim.churches[1].id.clone();
    let created = sim.create(&other, json!({"full_name": "A"}), Webhook::Forced).unwrap();
    assert_eq!(created.event_id, None);
}

#[tokio::test]
async fn many_changes_are_posted_and_some_twice() {
    let receiver = Receiver::start([]).await;
    let sim = sending(&receiver).await;
    sim.set(|settings| settings.duplicate_rate = 0.2);
    let church_id = Some(FIRST_CHURCH_ID.to_owned());
    let changes = RandomChanges { count: 300, church_id, ..RandomChanges::default() };
    let counts = sim.random_changes(&changes).unwrap();
    assert!(sim.sender_idle(DEADLINE).await);
    let told = counts.created + counts.updated + counts.toggled + counts.deleted;
    let deliveries = sim.deliveries();
    assert_eq!(deliveries.len() as u64, told);
    assert!(deliveries.iter().all(|delivery| delivery.state == DeliveryState::Delivered));
    let twice = receiver.posts().len() - deliveries.len();
    assert!((20..120).contains(&twice), "{twice}");
}
