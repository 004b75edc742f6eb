//! The control API does over HTTP what the methods do.

use serde_json::{Value, json};

use super::super::{CoreSim, FIRST_CHURCH_ID};
use super::receiver::Receiver;
use super::{Client, first_member, http, json_of, start};

async fn call(sim: &CoreSim, method: &str, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/control{path}", sim.base_url());
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    json_of(http().request(method, url).json(&body).send().await.unwrap()).await
}

#[tokio::test]
async fn members_are_changed_over_http() {
    let sim = start(3).await;
    let client = Client::of_first_church(&sim).await;
    let (_, churches) = call(&sim, "GET", "/churches", json!(null)).await;
    assert_eq!(churches[0]["id"], FIRST_CHURCH_ID);
    assert_eq!(churches[0]["email"], "admin@gkbj.org");
    assert_eq!(churches[0]["listed"], 3);

    let members = format!("/churches/{FIRST_CHURCH_ID}/members");
    let (status, created) = call(&sim, "POST", &members, json!({"full_name": "Ani"})).await;
    assert_eq!((status, &created["event_id"]), (200, &Value::Null));
    let id = created["member"]["id"].as_str().unwrap().to_owned();
    let path = format!("/members/{id}");
    call(&sim, "PATCH", &format!("{path}?remove=notes,gender"), json!({"city": "Ambon"})).await;
    let (_, member) = client.member(&id).await;
    assert_eq!((&member["city"], member.get("notes")), (&json!("Ambon"), None));
    assert_eq!(call(&sim, "GET", &path, json!(null)).await.1, member);

    call(&sim, "DELETE", &path, json!({})).await;
    assert_eq!(client.member(&id).await.1["is_deleted"], true);
    call(&sim, "POST", &format!("{path}/restore"), json!({})).await;
    assert_eq!(client.member(&id).await.1["is_deleted"], false);
    call(&sim, "PUT", &path, json!({"id": id, "odd": true})).await;
    assert_eq!(client.member(&id).await.1, json!({"id": id, "odd": true}));
    call(&sim, "POST", &format!("{path}/purge"), json!({})).await;
    assert_eq!(client.member(&id).await.0, 404);

    let put = format!("/members/new?church_id={FIRST_CHURCH_ID}");
    assert_eq!(call(&sim, "PUT", &put, json!({"id": "new"})).await.0, 200);
    assert_eq!(client.member("new").await.0, 200);
    let import = format!("/churches/{FIRST_CHURCH_ID}/import");
    let (_, imported) = call(&sim, "POST", &import, json!({"count": 4})).await;
    assert_eq!(imported["ids"].as_array().unwrap().len(), 4);
    let (_, counts) = call(&sim, "POST", "/changes", json!({"seed": 3, "count": 20})).await;
    let total: u64 = counts.as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(total, 20);

    let wrong = call(&sim, "PATCH", "/members/nobody", json!({})).await;
    assert_eq!(wrong, (404, json!({"detail": "there is no such member"})));
    assert_eq!(call(&sim, "POST", "/nothing", json!({})).await.0, 404);
    assert_eq!(call(&sim, "POST", &members, json!([])).await.0, 400);
}

#[tokio::test]
async fn settings_faults_and_counters_are_switched_over_http() {
    let sim = start(3).await;
    let client = Client::of_first_church(&sim).await;
    let id = first_member(&sim);
    let (status, _) = call(&sim, "PUT", "/settings", json!({"list_shape": "pagination"})).await;
    assert_eq!(status, 200);
    assert!(client.get("/members/").await.1["data"].is_array());
    let (_, settings) = call(&sim, "GET", "/settings", json!(null)).await;
    assert_eq!(settings["list_shape"], "pagination");
    assert_eq!(settings["login_limit"], Value::Null);
    assert_eq!(call(&sim, "PUT", "/settings", json!({"no_such": 1})).await.0, 400);

    let other = sim.churches[1].id.clone();
    for fault in [
        json!({"kind": "latency", "ms": 1, "stale": true, "endpoint": "list"}),
        json!({"kind": "rate_limited", "retry_after": 9, "church_id": other}),
        json!({"kind": "wrong_church", "as_church_id": other, "member_id": id, "times": 1}),
    ] {
        assert_eq!(call(&sim, "POST", "/faults", fault).await.0, 200);
    }
    assert_eq!(client.member(&id).await.1["church_id"], other);
    assert_eq!(client.member(&id).await.1["church_id"], FIRST_CHURCH_ID);
    let (_, faults) = call(&sim, "GET", "/faults", json!(null)).await;
    assert_eq!((&faults[2]["struck"], &faults[2]["times"]), (&json!(1), &json!(1)));
    assert_eq!(call(&sim, "DELETE", "/faults/2", json!({})).await.0, 200);
    assert_eq!(call(&sim, "DELETE", "/faults/2", json!({})).await.0, 404);
    call(&sim, "DELETE", "/faults", json!({})).await;
    assert_eq!(call(&sim, "GET", "/faults", json!(null)).await.1, json!([]));
    assert_eq!(call(&sim, "POST", "/faults", json!({"kind": "unheard"})).await.0, 400);

    let (_, counters) = call(&sim, "GET", "/counters", json!(null)).await;
    assert_eq!(counters["endpoints"]["member"]["statuses"]["200"], 2);
    let (_, of_member) = call(&sim, "GET", &format!("/counters/members/{id}"), json!(null)).await;
    assert_eq!(of_member["requests"], 2);
    call(&sim, "DELETE", "/counters", json!({})).await;
    call(&sim, "DELETE", "/tokens", json!({})).await;
    call(&sim, "DELETE", "/logins", json!({})).await;
    assert_eq!(client.member(&id).await.0, 401);
    let (_, counters) = call(&sim, "GET", "/counters", json!(null)).await;
    assert_eq!(counters["endpoints"]["member"]["requests"], 1);
}

#[tokio::test]
async fn the_sender_is_driven_over_http() {
    let receiver = Receiver::start([]).await;
    let sim = start(3).await;
    let church = format!("/churches/{FIRST_CHURCH_ID}");
    let target = json!({"url": receiver.url, "secret": "s"});
    assert_eq!(call(&sim, "PUT", &format!("{church}/webhook"), target.clone()).await.0, 200);
    assert_eq!(call(&sim, "GET", &format!("{church}/webhook"), json!(null)).await.1, target);
    let path = format!("/members/{}?webhook=true", first_member(&sim));
    let (_, deleted) = call(&sim, "DELETE", &path, json!({})).await;
    let event_id = deleted["event_id"].as_str().unwrap().to_owned();
    call(&sim, "POST", &format!("{church}/test"), json!({})).await;
    let event = json!({"event_type": "member.updated", "member_id": "m"});
    call(&sim, "POST", &format!("{church}/events"), event).await;
    let (_, waited) = call(&sim, "POST", "/sender/wait", json!({"timeout_ms": 20000})).await;
    assert_eq!(waited["idle"], true);
    let (_, all) = call(&sim, "GET", "/deliveries?state=delivered", json!(null)).await;
    assert_eq!(all.as_array().unwrap().len(), 3);
    let path = format!("/deliveries?event_id={event_id}");
    let (_, one) = call(&sim, "GET", &path, json!(null)).await;
    assert_eq!(one[0]["attempts"][0]["status"], 202);
    assert_eq!(one[0]["event_type"], "member.deleted");
    call(&sim, "DELETE", "/deliveries", json!({})).await;
    assert_eq!(call(&sim, "GET", "/deliveries", json!(null)).await.1, json!([]));
}
