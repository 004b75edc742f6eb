//! The same event twice (interface §2).

use core_sim::{Webhook, WebhookBody};
use futures_util::future::{join, join_all};
use harness::TestSystem;
use serde_json::json;

use super::{campus_under_test::CampusUnderTest, filter::set_filter};

#[tokio::test]
async fn an_event_that_was_processed_is_not_fetched_again() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.create(json!({"full_name": "Budi"}));
    let body = campus.body("member.created", &member).with("event_id", "e-1");
    campus.deliver(&body).await;
    assert_eq!(campus.end_of("e-1").await["status"], "processed");
    campus.change(&member, json!({"full_name": "Budi Santoso"}));
    campus.deliver(&body).await;
    let rows = campus.ends_of("e-1", 2).await;
    assert_eq!(rows[0]["status"], "processed");
    assert_eq!(rows[1]["status"], "duplicate");
    assert_ne!(rows[0]["id"], rows[1]["id"]);
    assert_eq!(system.core.member_requests(&member), 1);
    assert_eq!(campus.member(&member).await["name"], "Budi");

    // What another campus, or about another member, or of another kind, is another event.
    let other = campus.create(json!({"full_name": "Other"}));
    campus.deliver(&body.clone().with("member_id", other.as_str())).await;
    campus.deliver(&body.clone().with("event_type", "member.updated")).await;
    let rows = campus.ends_of("e-1", 4).await;
    assert_eq!(rows[2]["status"], "processed");
    assert_eq!(rows[3]["status"], "processed");
    assert_eq!(campus.member(&member).await["name"], "Budi Santoso");
    assert!(campus.row(&other).await.is_some());

    // A test is no member event, but the same one twice is the same one.
    let test = WebhookBody::test(campus.church_id()).with("event_id", "t-1");
    for (deliveries, status) in [(1, "processed"), (2, "duplicate")] {
        assert_eq!(system.post(&campus, &test).await.status, 200);
        assert_eq!(campus.ends_of("t-1", deliveries).await[deliveries - 1]["status"], status);
    }
}

#[tokio::test]
async fn the_same_event_id_of_another_campus_is_another_event() {
    let options = core_sim::Options::default();
    let second = options.churches[1].clone();
    let system = TestSystem::builder().core(options).spawn().await;
    let added = system.add_campus(&second, &[]).await;
    let campus = CampusUnderTest::first(&system);
    let other = CampusUnderTest::of(&system, &added);
    other.until_known().await;

    let (here, there) =
        (campus.create(json!({"full_name": "Here"})), other.create(json!({"full_name": "There"})));
    for (campus, member) in [(campus, &here), (other, &there)] {
        campus.deliver(&campus.body("member.created", member).with("event_id", "e-1")).await;
    }
    for row in campus.ends_of("e-1", 2).await {
        assert_eq!(row["status"], "processed", "{row}");
    }
    assert!(campus.row(&here).await.is_some() && other.row(&there).await.is_some());
}

#[tokio::test]
async fn twins_in_flight_at_once_are_one_processed_and_one_duplicate() {
    let system = TestSystem::builder().workers(2).spawn().await;
    let campus = CampusUnderTest::first(&system);
    let members: Vec<String> =
        (0..30).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))).collect();
    let bodies: Vec<WebhookBody> = members
        .iter()
        .enumerate()
        .map(|(n, member)| {
            // Every third is a delete, which is not fetched.
            let event_type = if n % 3 == 0 { "member.deleted" } else { "member.created" };
            campus.body(event_type, member).with("event_id", format!("e-{n}"))
        })
        .collect();
    for member in members.iter().step_by(3) {
        system.core.delete(member, Webhook::Silent).unwrap();
    }
    join_all(bodies.iter().map(|body| join(campus.deliver(body), campus.deliver(body)))).await;
    for (n, member) in members.iter().enumerate() {
        let rows = campus.ends_of(&format!("e-{n}"), 2).await;
        let mut statuses: Vec<&str> =
            rows.iter().map(|row| row["status"].as_str().unwrap()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, ["duplicate", "processed"], "{rows:?}");
        let fetches = system.core.member_requests(member);
        assert!(fetches <= 2, "{fetches} fetches");
    }
}

#[tokio::test]
async fn a_delivery_that_failed_makes_no_later_one_a_duplicate() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "100ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let body = campus.body("member.created", "late").with("event_id", "e-1");
    campus.deliver(&body).await;
    assert_eq!(campus.end_of("e-1").await["status"], "dead");
    let answer = json!({"id": "late", "church_id": campus.church_id(), "full_name": "Late"});
    system.core.put(campus.church_id(), "late", answer).unwrap();
    campus.deliver(&body).await;
    let rows = campus.ends_of("e-1", 2).await;
    assert_eq!(rows[1]["status"], "processed");
    assert_eq!(campus.member("late").await["name"], "Late");
}

#[tokio::test]
async fn what_an_older_filter_kept_out_makes_no_later_delivery_a_duplicate() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.create(json!({"full_name": "Budi"}));
    let nobody = json!([{"field": "full_name", "operator": "equals", "value": "Nobody"}]);
    set_filter(campus, "include", nobody).await;
    let body = campus.body("member.created", &member).with("event_id", "e-1");
    for (deliveries, status) in [(1, "filtered"), (2, "duplicate")] {
        campus.deliver(&body).await;
        assert_eq!(campus.ends_of("e-1", deliveries).await[deliveries - 1]["status"], status);
    }
    system.faithctl(&["campus", "clear-filter", &campus.id]).await.success();
    campus.deliver(&body).await;
    let rows = campus.ends_of("e-1", 3).await;
    assert_eq!(
        (&rows[2]["status"], &rows[2]["message"]),
        (&json!("processed"), &json!("Member created: Budi"))
    );
}

#[tokio::test]
async fn a_copy_that_succeeds_closes_the_letter_of_the_one_that_died() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "100ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let body = campus.body("member.created", "late").with("event_id", "e-1");
    campus.deliver(&body).await;
    let other = campus.post("member.created", "late").await;
    assert_eq!(campus.dead_letter("e-1").await["status"], "open");
    assert_eq!(campus.dead_letter(&other).await["status"], "open");
    let answer = json!({"id": "late", "church_id": campus.church_id(), "full_name": "Late"});
    system.core.put(campus.church_id(), "late", answer).unwrap();
    campus.deliver(&body).await;
    assert_eq!(campus.ends_of("e-1", 2).await[1]["status"], "processed");
    let letter = campus.dead_letter("e-1").await;
    assert_eq!(letter["status"], "resolved");
    assert_ne!(letter["resolved_at"], json!(null));
    assert_eq!(campus.dead_letter(&other).await["status"], "open", "it is another event");
}
