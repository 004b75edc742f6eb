//! Events of one member that wait together share one fetch.

use std::time::Duration;

use core_sim::{Endpoint, Fault, FaultKind};
use futures_util::future::join_all;
use harness::{TestSystem, eventually};
use serde_json::json;

use super::campus_under_test::{CampusUnderTest, SOON};

/// Long enough for everything else that a test does meanwhile.
const SLOW: FaultKind = FaultKind::Latency { ms: 2_000, jitter_ms: 0, stale: false };

impl CampusUnderTest<'_> {
    /// Posts an update whose fetch takes two seconds, and waits until it is under way: what comes
    /// now waits for its end.
    pub(super) async fn keep_busy(&self, member: &str) -> String {
        let core = &self.system.core;
        let before = core.member_requests(member);
        let slow = Fault::everywhere(SLOW).at(Endpoint::Member).of_member(member).with_times(1);
        core.add_fault(slow);
        let event = self.post("member.updated", member).await;
        eventually("the fetch is under way", SOON, async || core.member_requests(member) > before)
            .await;
        event
    }
}

#[tokio::test]
async fn events_that_wait_for_a_slow_core_share_one_fetch() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let (hot, other) =
        (campus.create(json!({"full_name": "A"})), campus.create(json!({"full_name": "B"})));
    let first = campus.keep_busy(&hot).await;

    campus.change(&hot, json!({"full_name": "C"}));
    let waiting = join_all((0..20).map(|_| campus.post("member.updated", &hot))).await;
    // Others do not wait for it.
    assert_eq!(campus.sync("member.created", &other).await["message"], "Member created: B");
    assert!(campus.log(&first).await.is_empty(), "the fetch was to take longer than this");

    assert_eq!(campus.end_of(&first).await["message"], "Member created: C");
    for event in &waiting {
        let log = campus.end_of(event).await;
        assert_eq!(
            (&log["status"], &log["message"]),
            (&json!("processed"), &json!("Member updated: C"))
        );
        assert_eq!(log["attempts"], 1);
    }
    assert_eq!(system.core.member_requests(&hot), 2);
    assert_eq!(system.core.member_requests(&other), 1);
}

#[tokio::test]
async fn a_backlog_of_one_member_costs_few_fetches() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let members: Vec<String> =
        (0..3).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))).collect();
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    let mut events = Vec::new();
    for _ in 0..40 {
        events.extend(
            join_all(members.iter().map(|member| campus.post("member.updated", member))).await,
        );
    }
    assert_eq!(system.queue_depth("member-events.work").await, Some(120));

    system.start_again("worker", 0).await;
    for event in &events {
        assert_eq!(campus.end_of(event).await["status"], "processed");
    }
    for member in &members {
        let fetches = system.core.member_requests(member);
        assert!((1..=10).contains(&fetches), "{fetches} fetches for 40 events");
    }
    let created = "SELECT FROM webhook_logs WHERE message LIKE 'Member created: %'";
    assert!(!system.database.rows(created, &[]).await.is_empty());
}
