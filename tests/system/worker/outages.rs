//! Outages: the core cannot answer. Events wait for it, and use up nothing but time
//! (interface §1 `RETRY_OUTAGE_AGE`, decision 5).

use core_sim::{Endpoint, Fault, FaultKind};
use futures_util::future::join_all;
use harness::{TestSystem, eventually};
use serde_json::json;

use super::{
    campus_under_test::{CampusUnderTest, SOON},
    queue::assert_queues_are_empty,
};

impl CampusUnderTest<'_> {
    /// Waits until an event has failed that often and waits for its next attempt.
    async fn until_failed(&self, event: &str, times: i64) {
        eventually("the event failed and waits", SOON, async || {
            let log = self.log(event).await;
            match log.first() {
                Some(row)
                    if row["status"] == "retrying" && row["attempts"].as_i64() >= Some(times) =>
                {
                    Ok(())
                }
                row => Err(format!("{row:?}")),
            }
        })
        .await;
    }
}

#[tokio::test]
async fn events_wait_for_a_core_that_is_away() {
    let mut system = TestSystem::builder().variable("RETRY_DELAYS", "300ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let mut members = vec![campus.bring(json!({"full_name": "Member"})).await];
    members.extend((0..10).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))));
    system.core.go_away().await;

    let campus = CampusUnderTest::first(&system);
    let events = join_all(members.iter().map(|member| campus.post("member.updated", member))).await;
    // A prompt delete asks nobody.
    let deleted = campus.post("member.deleted", "nobody").await;
    assert_eq!(campus.end_of(&deleted).await["status"], "processed");
    // Whether attempted or put off, each says that it waits.
    for event in &events {
        campus.until_failed(event, 0).await;
    }
    system.core.come_back().await.unwrap();
    let campus = CampusUnderTest::first(&system);
    for event in &events {
        let log = campus.end_of(event).await;
        assert_eq!((&log["status"], &log["error"]), (&json!("processed"), &json!(null)));
    }
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
    assert_eq!(system.core.requests(Endpoint::Login), 1);
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn blips_are_bridged_within_the_attempt() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let status = |status| FaultKind::Status { status, retry_after: None };
    for kind in [status(500), status(503), FaultKind::Reset, FaultKind::CutBody] {
        let member = campus.create(json!({"full_name": "Budi"}));
        let fault = Fault::everywhere(kind.clone()).at(Endpoint::Member).of_member(&member);
        system.core.add_fault(fault.with_times(2));
        let log = campus.sync("member.created", &member).await;
        assert_eq!(
            (&log["status"], &log["attempts"]),
            (&json!("processed"), &json!(1)),
            "{kind:?}"
        );
        assert_eq!(system.core.member_requests(&member), 3, "{kind:?}");
    }
}

#[tokio::test]
async fn a_core_that_answers_with_errors_is_asked_again_but_not_hotly() {
    let kinds = [
        FaultKind::Status { status: 500, retry_after: None },
        FaultKind::BadRow,
        FaultKind::RateLimited { retry_after: Some(1), plain: false },
        FaultKind::RateLimited { retry_after: None, plain: true },
        FaultKind::NoJson { body: "<!DOCTYPE html><title>Maintenance</title>".into() },
        FaultKind::NoJson { body: String::new() },
    ];
    for kind in kinds {
        let system = TestSystem::builder().variable("RETRY_DELAYS", "500ms").spawn().await;
        let campus = CampusUnderTest::first(&system);
        let member = campus.create(json!({"full_name": "Budi"}));
        system
            .core
            .add_fault(Fault::everywhere(kind.clone()).at(Endpoint::Member).of_member(&member));
        let event = campus.post("member.created", &member).await;
        campus.until_failed(&event, 2).await;
        // Two seconds of bridging in each attempt are at most seven requests, and the third attempt
        // may be under way.
        let requests = system.core.member_requests(&member);
        assert!(requests <= 3 * 7, "{requests} requests: {kind:?}");
        system.core.clear_faults();
        assert_eq!(campus.end_of(&event).await["message"], "Member created: Budi");
        assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
    }
}

#[tokio::test]
async fn an_outage_that_ends_in_a_moment_of_404_kills_nothing() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "200ms,400ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.create(json!({"full_name": "Budi"}));
    let answer = |status| {
        let kind = FaultKind::Status { status, retry_after: None };
        Fault::everywhere(kind).at(Endpoint::Member).of_member(&member)
    };
    let away = system.core.add_fault(answer(503));
    let event = campus.post("member.created", &member).await;
    // More than a refusal would be granted.
    campus.until_failed(&event, 4).await;
    // A proxy that finds no core behind it yet.
    system.core.add_fault(answer(404).with_times(2));
    system.core.remove_fault(away);
    let log = campus.end_of(&event).await;
    assert_eq!(log["message"], "Member created: Budi");
    assert!(log["attempts"].as_i64() >= Some(7), "{log}");
}

#[tokio::test]
async fn patience_with_an_outage_ends() {
    let system = TestSystem::builder()
        .variable("RETRY_DELAYS", "100ms,300ms")
        .variable("RETRY_OUTAGE_AGE", "1s")
        .spawn()
        .await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    let away = FaultKind::Status { status: 503, retry_after: None };
    system.core.add_fault(Fault::everywhere(away).at(Endpoint::Member));
    let event = campus.post("member.updated", &member).await;
    let letter = campus.dead_letter(&event).await;
    assert_eq!(letter["cause"], "core_unavailable");
    assert!(letter["attempts"].as_i64() >= Some(2), "{letter}");
    let log = campus.end_of(&event).await;
    assert_eq!((&log["status"], &log["attempts"]), (&json!("dead"), &letter["attempts"]));
    assert_eq!(campus.member(&member).await["name"], "Budi");
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn a_refused_login_is_an_outage_that_an_operator_can_end() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "300ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let set_password = async |password: &[u8]| {
        let set = ["campus", "set", &campus.id, "--api-password-stdin"];
        system.faithctl_with_input(&set, password).await.success();
    };
    set_password(b"wrong").await;
    let member = campus.create(json!({"full_name": "Budi"}));
    let event = campus.post("member.created", &member).await;
    campus.until_failed(&event, 3).await;
    // The core counts logins, refused ones too: none follows soon.
    assert_eq!(system.core.requests(Endpoint::Login), 1);
    assert_eq!(system.core.member_requests(&member), 0);

    set_password(core_sim::DEFAULT_PASSWORD.as_bytes()).await;
    let log = campus.end_of(&event).await;
    assert_eq!(log["message"], "Member created: Budi");
    assert_eq!(system.core.requests(Endpoint::Login), 2);
}

#[tokio::test]
async fn a_login_that_stays_refused_ends_in_the_dead_letters() {
    let system = TestSystem::builder()
        .variable("RETRY_DELAYS", "200ms")
        .variable("RETRY_OUTAGE_AGE", "1s")
        .spawn()
        .await;
    let campus = CampusUnderTest::first(&system);
    system.core.add_fault(Fault::everywhere(FaultKind::NoLogins));
    let events =
        join_all((0..5).map(|n| campus.post("member.updated", ["a", "b", "c", "d", "e"][n]))).await;
    for event in &events {
        let letter = campus.dead_letter(event).await;
        assert_eq!(letter["cause"], "core_rejected_login", "{letter}");
    }
    assert_eq!(system.core.requests(Endpoint::Login), 1);
    assert_eq!(system.core.requests(Endpoint::Member), 0);
}

#[tokio::test]
async fn a_pause_that_we_impose_keeps_the_cause_of_what_led_to_it() {
    let status = |status| FaultKind::Status { status, retry_after: None };
    let page = FaultKind::NoJson { body: "<html>Maintenance</html>".into() };
    for (kind, cause) in [
        (status(503), "core_unavailable"),
        (page, "core_unavailable"),
        (FaultKind::Reset, "core_unavailable"),
        (FaultKind::UnknownShape, "core_bad_response"),
        (FaultKind::NoLogins, "core_rejected_login"),
    ] {
        let system = TestSystem::builder()
            .variable("RETRY_DELAYS", "200ms")
            .variable("RETRY_OUTAGE_AGE", "2s")
            .spawn()
            .await;
        let campus = CampusUnderTest::first(&system);
        system.core.add_fault(Fault::everywhere(kind.clone()).at(Endpoint::Login));
        let members = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let events = members.map(|member| campus.post("member.updated", member));
        for event in join_all(events).await {
            let letter = campus.dead_letter(&event).await;
            assert_eq!(letter["cause"], cause, "{kind:?}: {letter}");
            assert!(letter["attempts"].as_i64() >= Some(1), "{letter}");
        }
        assert_eq!(system.core.requests(Endpoint::Member), 0);
    }
}

#[tokio::test]
async fn an_account_that_lost_its_right_pauses_its_campus_and_kills_nothing() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "500ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let mut members = vec![campus.bring(json!({"full_name": "Known"})).await];
    members.extend((0..30).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))));
    let kind = FaultKind::Status { status: 403, retry_after: None };
    let fault = system.core.add_fault(Fault::everywhere(kind).at(Endpoint::Member));
    let events = join_all(members.iter().map(|member| campus.post("member.updated", member))).await;
    for event in &events {
        campus.until_failed(event, 0).await;
    }
    // Each would be dead long before so many probes have been made.
    eventually("the account is probed", SOON, async || {
        system.worker_metric(0, "worker_events_settled_total", "put_off").await >= 60.0
    })
    .await;
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
    system.core.remove_fault(fault);
    for event in &events {
        assert_eq!(campus.end_of(event).await["status"], "processed");
    }
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn an_account_that_never_gets_its_right_back_is_named_as_the_cause() {
    let system = TestSystem::builder()
        .variable("RETRY_DELAYS", "300ms")
        .variable("RETRY_OUTAGE_AGE", "2s")
        .spawn()
        .await;
    let campus = CampusUnderTest::first(&system);
    let kind = FaultKind::Status { status: 403, retry_after: None };
    system.core.add_fault(Fault::everywhere(kind).at(Endpoint::Member));
    let events = (0..8).map(|n| campus.create(json!({"full_name": format!("Member {n}")})));
    let events: Vec<String> = events.collect();
    for event in join_all(events.iter().map(|member| campus.post("member.updated", member))).await {
        let letter = campus.dead_letter(&event).await;
        assert_eq!(letter["cause"], "core_forbidden", "{letter}");
    }
}

#[tokio::test]
async fn members_that_the_core_cannot_show_put_nobody_else_off() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "300ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let good = campus.bring(json!({"full_name": "Budi"})).await;
    let bad: Vec<String> = (0..8)
        .map(|n| {
            let member = campus.create(json!({"full_name": format!("Unreadable {n}")}));
            let fault = Fault::everywhere(FaultKind::BadRow).of_member(&member);
            system.core.add_fault(fault.at(Endpoint::Member));
            member
        })
        .collect();
    // Also by a worker that has seen no member of the campus yet.
    for round in 0..2 {
        let campus = CampusUnderTest::first(&system);
        let events = join_all(bad.iter().map(|member| campus.post("member.updated", member))).await;
        for event in &events {
            campus.until_failed(event, 2).await;
        }
        for _ in 0..5 {
            assert_eq!(campus.sync("member.updated", &good).await["attempts"], 1);
        }
        let put_off = system.worker_metric(0, "worker_events_settled_total", "put_off").await;
        assert!(put_off.abs() < 0.5, "{put_off} were put off in round {round}");
        system.worker(0).terminate(std::time::Duration::from_secs(25)).await.unwrap();
        system.start_again("worker", 0).await;
    }
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
}
