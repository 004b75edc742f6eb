//! What becomes of a replayed event: resolved only when a worker has finished it.

use std::time::Duration;

use chrono::TimeDelta;
use core_sim::{Endpoint, Webhook, WebhookBody};
use harness::{TestSystem, eventually};
use queue::{DEAD, UNROUTED, WORK};
use serde_json::{Value, json};

use super::mailbox::{Mailbox, SOON, to_dead, to_work};

const DRAIN: Duration = Duration::from_secs(25);

/// A system whose workers give an event up after two attempts.
async fn impatient() -> TestSystem {
    TestSystem::builder().variable("RETRY_DELAYS", "100ms").spawn().await
}

impl Mailbox<'_> {
    /// Posts an event, and answers its id.
    async fn post(&self, event_type: &str, member: &str) -> String {
        let body = WebhookBody::new(event_type, &self.system.campus.core_church_id, member);
        self.system.post(&self.system.campus, &body).await.event_id()
    }

    /// Lets the core know a member.
    fn make_known(self, member: &str) {
        let church = self.system.campus.core_church_id.as_str();
        let document = json!({"id": member, "church_id": church, "full_name": "Budi"});
        self.system.core.put(church, member, document).unwrap();
    }

    async fn assert_queues_are_empty(&self) {
        for queue in [WORK, DEAD, UNROUTED] {
            assert_eq!(self.system.queue_depth(queue).await, Some(0), "{queue}");
        }
    }
}

#[tokio::test]
async fn a_replay_that_waits_tells_what_became_of_each_by_cause() {
    let system = impatient().await;
    let mailbox = Mailbox { system: &system };
    mailbox.fill(3).await;
    mailbox.make_known("member-1");
    let replayed = mailbox.run(&["replay", "--yes", "--wait", "1m", "--json"]).await;
    assert_eq!(replayed.code, Some(1), "not all are resolved: {replayed:?}");
    let told: Value = serde_json::from_str(&replayed.stdout).unwrap();
    assert_eq!(
        told["outcomes"],
        json!({"resolved": 1, "open": {"member_not_found": 2}, "discarded": 0, "replaying": 0})
    );
    for member in ["member-2", "member-3"] {
        mailbox.make_known(member);
    }
    let said = mailbox.run(&["replay", "--yes", "--wait"]).await.success();
    assert_eq!(said, "replayed 2 of 2 dead letters\n2 resolved\n");
}

#[tokio::test]
async fn a_letter_is_resolved_only_when_the_worker_has_succeeded() {
    let system = impatient().await;
    let mailbox = Mailbox { system: &system };
    let event = mailbox.post("member.created", "late").await;
    let dead = mailbox.until(&event, "open").await;
    assert_eq!((&dead["cause"], &dead["attempts"]), (&json!("member_not_found"), &json!(2)));
    let log = mailbox.log(&event).await;
    assert_eq!(log["status"], "dead");

    // Fails anew: open again, with its count, and as old as its new end.
    assert_eq!(mailbox.replay(&[]).await, 1);
    let again = eventually("it has failed anew", SOON, async || {
        let letter = mailbox.until(&event, "open").await;
        (letter["replay_count"] == 1).then_some(letter)
    })
    .await;
    assert!(again["dead_at"].as_str() > again["replayed_at"].as_str(), "{again}");
    assert!(again["first_failed_at"].as_str() > dead["dead_at"].as_str(), "{again}");
    assert_eq!((&again["attempts"], &again["trace_id"]), (&json!(2), &dead["trace_id"]));
    assert_eq!(mailbox.log(&event).await["status"], "dead");

    // Replayed while nobody takes events: on its way, and no more than that.
    mailbox.make_known("late");
    let work = mailbox.intercept().await;
    assert_eq!(mailbox.replay(&[]).await, 1);
    let on_its_way = mailbox.until(&event, "replaying").await;
    assert_eq!(
        (&on_its_way["replay_count"], &on_its_way["resolved_at"]),
        (&json!(2), &Value::Null)
    );
    assert_eq!(mailbox.log(&event).await["status"], "dead");

    drop(work);
    let resolved = mailbox.until(&event, "resolved").await;
    assert!(resolved["resolved_at"].is_string(), "{resolved}");
    let done = mailbox.log(&event).await;
    assert_eq!(
        (&done["status"], &done["message"]),
        (&json!("processed"), &json!("Member created: Budi"))
    );
    assert_eq!(
        (&done["id"], &done["trace_id"], &done["error"]),
        (&log["id"], &log["trace_id"], &Value::Null)
    );
    let nothing = mailbox.run(&["replay", "--yes"]).await;
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    mailbox.assert_queues_are_empty().await;
}

#[tokio::test]
async fn every_good_end_resolves() {
    let system = impatient().await;
    let mailbox = Mailbox { system: &system };
    let rules = json!([{"field": "full_name", "operator": "not_equals", "value": "Kept Out"}]);
    let filter = ["campus", "set-filter", &system.campus.id, "--mode", "include", "--rules", "-"];
    system.faithctl_with_input(&filter, rules.to_string().as_bytes()).await.success();
    let church = system.campus.core_church_id.as_str();
    let create = |name: &str| {
        let made = system.core.create(church, json!({"full_name": name}), Webhook::Silent).unwrap();
        made.member.text("id").unwrap().to_owned()
    };
    let (alive, kept_out, deleted) = (create("Alive"), create("Kept Out"), create("Deleted"));
    let created = mailbox.post("member.created", &deleted).await;
    eventually("the member is here", SOON, async || {
        let query = "SELECT FROM webhook_logs WHERE event_id = $1 AND status = 'processed'";
        !system.database.rows(query, &[&created]).await.is_empty()
    })
    .await;
    system.core.delete(&deleted, Webhook::Silent).unwrap();

    let minute = TimeDelta::minutes(1);
    let mut duplicate = mailbox.envelope("member.created", &deleted, minute);
    duplicate.event_id.clone_from(&created);
    let cases = [
        (mailbox.envelope("member.updated", &alive, minute), "processed"),
        (mailbox.envelope("member.updated", &kept_out, minute), "filtered"),
        // Late and replayed deletes are questions.
        (mailbox.envelope("member.deleted", &alive, minute), "stale"),
        (mailbox.envelope("member.deleted", &deleted, minute), "processed"),
        (mailbox.envelope("household.merged", &alive, minute), "ignored"),
        (mailbox.envelope("test", &alive, minute), "processed"),
        (duplicate, "duplicate"),
    ];
    let channel = mailbox.channel().await;
    for (envelope, _) in &cases {
        to_dead(&channel, envelope).await;
    }
    mailbox.until_statuses(&[("open", 7)]).await;
    let asked = system.core.requests(Endpoint::Member);
    assert_eq!(mailbox.replay(&[]).await, 7);
    mailbox.until_statuses(&[("resolved", 7)]).await;
    assert!(system.core.requests(Endpoint::Member) > asked);
    for (envelope, status) in &cases {
        let query = "SELECT * FROM webhook_logs WHERE id = $1";
        let log = system.database.rows(query, &[&envelope.delivery_id]).await.remove(0);
        assert_eq!(log["status"], *status, "{log}");
    }
    mailbox.assert_queues_are_empty().await;
}

#[tokio::test]
async fn a_letter_whose_event_was_done_meanwhile_is_resolved_without_another_try() {
    let system = impatient().await;
    let mailbox = Mailbox { system: &system };
    let event = mailbox.post("member.created", "late").await;
    mailbox.until(&event, "open").await;
    mailbox.make_known("late");
    let envelope = mailbox.letters().await.remove(0)["envelope"].clone();
    let envelope = serde_json::from_value(envelope).unwrap();

    // A copy that was somewhere on its way all the time.
    let channel = mailbox.channel().await;
    to_work(&channel, &envelope).await;
    mailbox.until(&event, "resolved").await;
    let asked = system.core.member_requests("late");
    // And one that had failed for good before.
    to_dead(&channel, &envelope).await;
    eventually("it is collected", SOON, async || system.queue_depth(DEAD).await == Some(0)).await;
    system.worker(0).terminate(DRAIN).await.unwrap();
    mailbox.until(&event, "resolved").await;
    assert_eq!(mailbox.log(&event).await["status"], "processed");
    assert_eq!(system.core.member_requests("late"), asked);
}

#[tokio::test]
async fn events_of_a_campus_that_was_disabled_are_kept_and_done_after_it_is_enabled() {
    let system = TestSystem::spawn().await;
    let mailbox = Mailbox { system: &system };
    mailbox.make_known("member");
    system.worker(0).terminate(DRAIN).await.unwrap();
    let mut events = Vec::new();
    for _ in 0..3 {
        events.push(mailbox.post("member.updated", "member").await);
    }
    system.faithctl(&["campus", "disable", &system.campus.id]).await.success();
    system.start_again("worker", 0).await;
    mailbox.until_statuses(&[("open", 3)]).await;
    let groups = mailbox.run(&["groups", "--json"]).await.json();
    assert_eq!((&groups[0]["cause"], &groups[0]["count"]), (&json!("sync_disabled"), &json!(3)));

    // Replayed too early: open again, and nothing is lost.
    assert_eq!(mailbox.replay(&["--cause", "sync_disabled"]).await, 3);
    eventually("all have failed anew", SOON, async || {
        let letters = mailbox.letters().await;
        letters.iter().all(|letter| letter["status"] == "open" && letter["replay_count"] == 1)
    })
    .await;
    system.faithctl(&["campus", "enable", &system.campus.id]).await.success();
    assert_eq!(mailbox.replay(&["--cause", "sync_disabled"]).await, 3);
    mailbox.until_statuses(&[("resolved", 3)]).await;
    for event in &events {
        assert_eq!(mailbox.log(event).await["status"], "processed");
    }
}
