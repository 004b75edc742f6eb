//! Faults strike where, and as often as, they are told to.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::{Endpoint, FIRST_CHURCH_ID, Fault, FaultKind, NO_CHURCH_ID, Webhook};
use super::{Client, DEADLINE, first_member, start};

#[tokio::test]
async fn statuses_strike_their_scope_and_number() {
    let sim = start(3).await;
    let client = Client::of_first_church(&sim).await;
    let (one, other) = (first_member(&sim), sim.member_id(FIRST_CHURCH_ID, 1).unwrap());
    let fault = FaultKind::Status { status: 503, retry_after: Some(7) };
    sim.add_fault(Fault::everywhere(fault).of_member(&one).with_times(2));
    assert_eq!(client.member(&other).await.0, 200);
    let response = client.request(&format!("/members/{one}")).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 503);
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(client.member(&one).await.0, 503);
    assert_eq!(client.member(&one).await.0, 200);
    assert_eq!(client.ids("").await.len(), 3);

    sim.add_fault(Fault::everywhere(FaultKind::Status { status: 500, retry_after: None }));
    sim.clear_faults();
    assert_eq!(client.member(&one).await.0, 200);

    let plain = FaultKind::RateLimited { retry_after: None, plain: true };
    let number = sim.add_fault(Fault::everywhere(plain).of_church(FIRST_CHURCH_ID));
    let (status, body) = client.member(&one).await;
    assert!(status == 429 && body["detail"].is_string());
    assert!(sim.remove_fault(number) && !sim.remove_fault(number));

    let other_church = sim.churches[1].id.clone();
    sim.add_fault(Fault::everywhere(FaultKind::Reset).of_church(other_church));
    assert_eq!(client.member(&one).await.0, 200);
    assert_eq!(sim.counters().answered(Endpoint::Member, 503), 2);
}

#[tokio::test]
async fn rates_strike_a_share_that_follows_from_the_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let sim = start(3).await;
        let client = Client::of_first_church(&sim).await;
        let kind = FaultKind::Status { status: 502, retry_after: None };
        sim.add_fault(Fault::everywhere(kind).at(Endpoint::Member).with_rate(0.3));
        let mut statuses = Vec::new();
        for _ in 0..200 {
            statuses.push(client.member(&first_member(&sim)).await.0);
        }
        runs.push(statuses);
    }
    let struck = runs[0].iter().filter(|status| **status == 502).count();
    assert!((30..90).contains(&struck), "{struck}");
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn answers_break_in_every_way() {
    let sim = start(3).await;
    let client = Client::of_first_church(&sim).await;
    let path = format!("/members/{}", first_member(&sim));
    let whole = client.request(&path).send().await.unwrap().bytes().await.unwrap();
    let once = |kind| sim.add_fault(Fault::everywhere(kind).with_times(1));

    once(FaultKind::TruncatedJson);
    let truncated = client.request(&path).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(truncated, whole[..whole.len() / 2]);

    once(FaultKind::CutBody);
    let response = client.request(&path).send().await.unwrap();
    assert_eq!(response.headers()["content-length"], whole.len().to_string().as_str());
    assert!(response.bytes().await.is_err());

    once(FaultKind::Reset);
    assert!(client.request(&path).send().await.is_err());

    once(FaultKind::UnknownShape);
    let (status, body) = client.get("/members/").await;
    assert!(status == 200 && body.is_object() && body.get("data").is_none());

    once(FaultKind::Hang);
    let timeout = Duration::from_millis(200);
    let hung = client.request(&path).timeout(timeout).send().await.unwrap_err();
    assert!(hung.is_timeout());
    assert_eq!(client.get(&path).await.0, 200);
}

#[tokio::test]
async fn rows_can_be_bad_or_of_another_church() {
    let sim = start(30).await;
    let client = Client::of_first_church(&sim).await;
    let bad = sim.member_id(FIRST_CHURCH_ID, 15).unwrap();
    sim.add_fault(Fault::everywhere(FaultKind::BadRow).of_member(&bad));
    for (path, status) in [
        ("/members/?skip=0&limit=10".to_owned(), 200),
        ("/members/?skip=10&limit=10".to_owned(), 500),
        ("/members/?skip=20&limit=10".to_owned(), 200),
        (format!("/members/{bad}"), 500),
        (format!("/members/{}", first_member(&sim)), 200),
    ] {
        assert_eq!(client.get(&path).await.0, status, "{path}");
    }
    sim.clear_faults();
    let kind = FaultKind::WrongChurch { as_church_id: None };
    sim.add_fault(Fault::everywhere(kind).of_member(&bad));
    assert_eq!(client.member(&bad).await.1["church_id"], NO_CHURCH_ID);
    let (_, rows) = client.get("/members/?limit=1000").await;
    let foreign = rows.as_array().unwrap().iter().filter(|row| row["church_id"] != FIRST_CHURCH_ID);
    assert_eq!(foreign.count(), 1);
}

#[tokio::test]
async fn latency_answers_late_and_stale_latency_old() {
    let sim = start(3).await;
    let client = Client::of_first_church(&sim).await;
    let id = first_member(&sim);
    for (stale, expected) in [(false, "new"), (true, "old")] {
        sim.clear_faults();
        sim.change(&id, json!({"full_name": "old"}), Webhook::AsUsual).unwrap();
        sim.reset_counters();
        sim.add_fault(Fault::everywhere(FaultKind::Latency { ms: 1000, jitter_ms: 50, stale }));
        let start = Instant::now();
        let change = async {
            while sim.faults.list()[0].2 == 0 {
                assert!(start.elapsed() < DEADLINE, "the request has not come");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            sim.change(&id, json!({"full_name": "new"}), Webhook::AsUsual).unwrap();
        };
        let ((status, body), ()) = tokio::join!(client.member(&id), change);
        assert!(start.elapsed() >= Duration::from_secs(1));
        assert_eq!((status, &body["full_name"]), (200, &json!(expected)));
    }
}

#[tokio::test]
async fn logins_can_be_refused_and_requests_counted_at_once() {
    let sim = start(3).await;
    let client = Client::of_first_church(&sim).await;
    sim.add_fault(Fault::everywhere(FaultKind::NoLogins));
    let base = format!("{}/api", sim.base_url());
    let answer = super::post_login(&client.http, &base, "admin@gkbj.org", "core-sim").await;
    assert_eq!(answer, (401, json!({"detail": "Invalid credentials"})));

    sim.add_fault(Fault::everywhere(FaultKind::Hang));
    let id = first_member(&sim);
    let all_came = async {
        let start = Instant::now();
        while sim.requests(Endpoint::Member) + sim.requests(Endpoint::List) < 4 {
            assert!(start.elapsed() < DEADLINE, "the requests have not come");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let members =
        futures_util::future::join3(client.member(&id), client.member(&id), client.member(&id));
    tokio::select! {
        () = all_came => {}
        _ = members => panic!("a request that hangs has no answer"),
        _ = client.ids("") => panic!("a request that hangs has no answer"),
    }
    let counters = sim.counters();
    assert_eq!(counters.endpoints[&Endpoint::Member].concurrent_max, 3);
    assert_eq!(counters.concurrent_max_by_church[FIRST_CHURCH_ID], 4);
    assert_eq!(counters.concurrent_max, 4);
    assert_eq!(sim.member_requests(&id), 3);
}
