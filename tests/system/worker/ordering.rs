//! Reads that were overtaken, by another worker: older never overwrites newer (decision 4).

use core_sim::{Endpoint, Fault, FaultKind, Webhook};
use harness::{TestSystem, eventually};
use serde_json::{Value, json};

use super::campus_under_test::{CampusUnderTest, SOON};

/// The core looks at its members, and then takes its time.
const STALE: FaultKind = FaultKind::Latency { ms: 2_000, jitter_ms: 0, stale: true };

/// What the columns of a member were, write by write.
const HISTORY: &str = "
    CREATE TABLE member_history (
        place bigint GENERATED ALWAYS AS IDENTITY, member text, name text, is_archived boolean);
    CREATE FUNCTION record_member() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO public.member_history (member, name, is_archived)
        VALUES (NEW.external_member_id, NEW.name, NEW.is_archived);
        RETURN NULL;
    END $$;
    CREATE TRIGGER record_member AFTER INSERT OR UPDATE ON members
        FOR EACH ROW EXECUTE FUNCTION record_member();";

impl CampusUnderTest<'_> {
    /// Posts an event whose read of the core is held back, and waits until it was made.
    async fn post_stale(&self, event_type: &str, member: &str) -> String {
        let core = &self.system.core;
        let before = core.member_requests(member);
        let held = Fault::everywhere(STALE).at(Endpoint::Member).of_member(member).with_times(1);
        core.add_fault(held);
        let event = self.post(event_type, member).await;
        eventually("the core was read", SOON, async || core.member_requests(member) > before).await;
        event
    }

    /// Posts events until the worker that has none of this member yet takes one: RabbitMQ gives
    /// them to the workers in turn. Answers them all; one has come to its end.
    async fn post_to_the_other_worker(&self, event_type: &str, member: &str) -> Vec<String> {
        let mut events = Vec::new();
        for _ in 0..3 {
            events.push(self.post(event_type, member).await);
        }
        eventually("another worker was faster", SOON, async || {
            for event in &events {
                if !self.log(event).await.is_empty() {
                    return true;
                }
            }
            false
        })
        .await;
        events
    }

    async fn history(&self, member: &str) -> Vec<Value> {
        let query = "SELECT name, is_archived FROM member_history WHERE member = $1 ORDER BY place";
        self.system.database.rows(query, &[&member]).await
    }
}

#[tokio::test]
async fn a_read_that_was_overtaken_never_overwrites_a_newer_one() {
    let system = TestSystem::builder().workers(2).spawn().await;
    let campus = CampusUnderTest::first(&system);
    campus.execute(HISTORY).await;

    // Updated meanwhile.
    let changed = campus.bring(json!({"full_name": "One"})).await;
    campus.change(&changed, json!({"full_name": "Two"}));
    let overtaken = campus.post_stale("member.updated", &changed).await;
    campus.change(&changed, json!({"full_name": "Three"}));
    let newer = campus.post_to_the_other_worker("member.updated", &changed).await;
    assert_eq!(campus.member(&changed).await["name"], "Three");
    assert!(campus.log(&overtaken).await.is_empty(), "it was to be held back longer than this");
    let log = campus.end_of(&overtaken).await;
    assert_eq!(
        (&log["status"], &log["message"]),
        (&json!("processed"), &json!("Member updated: Three"))
    );
    for event in &newer {
        assert_eq!(campus.end_of(event).await["status"], "processed");
    }
    assert_eq!(
        campus.history(&changed).await,
        [
            json!({"name": "One", "is_archived": false}),
            json!({"name": "Three", "is_archived": false}),
        ]
    );
    // What was overtaken by a read that began after its event is part of that read.
    let fetches = system.core.member_requests(&changed);
    assert!(fetches <= 5, "{fetches} fetches");
}

#[tokio::test]
async fn a_read_from_before_a_delete_brings_nobody_back() {
    let system = TestSystem::builder().workers(2).spawn().await;
    let campus = CampusUnderTest::first(&system);
    campus.execute(HISTORY).await;

    let known = campus.bring(json!({"full_name": "Known"})).await;
    let unknown = campus.create(json!({"full_name": "Unknown"}));
    for (member, event_type) in [(&known, "member.updated"), (&unknown, "member.created")] {
        let overtaken = campus.post_stale(event_type, member).await;
        system.core.delete(member, Webhook::Silent).unwrap();
        let deletes = campus.post_to_the_other_worker("member.deleted", member).await;
        assert!(campus.log(&overtaken).await.is_empty(), "it was to be held back longer than this");
        assert_eq!(campus.end_of(&overtaken).await["status"], "processed");
        for event in &deletes {
            assert_eq!(campus.end_of(event).await["status"], "processed");
        }
    }
    assert_eq!(
        campus.history(&known).await,
        [
            json!({"name": "Known", "is_archived": false}),
            json!({"name": "Known", "is_archived": true}),
        ]
    );
    assert_eq!(campus.history(&unknown).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_restored_member_comes_back_although_its_delete_is_overtaken_by_nothing() {
    let system = TestSystem::builder().workers(2).spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    for _ in 0..5 {
        system.core.delete(&member, Webhook::Silent).unwrap();
        assert_eq!(
            campus.sync("member.deleted", &member).await["message"],
            "Member archived: Budi"
        );
        assert_eq!(campus.member(&member).await["is_archived"], true);
        system.core.restore(&member, Webhook::Silent).unwrap();
        assert_eq!(campus.sync("member.updated", &member).await["message"], "Member updated: Budi");
        assert_eq!(campus.member(&member).await["is_archived"], false);
    }
}
