//! Login and single members, against the recorded answers.

use serde_json::{Value, json};

use super::super::{CoreSim, Endpoint, FIRST_CHURCH_ID, Options, SUPER_ADMIN_EMAIL, Webhook};
use super::{Client, first_member, http, json_of, post_login, recorded_member, sample, start};

/// The same keys, at every level.
fn same_keys(value: &Value, recorded: &Value) {
    if let (Value::Object(value), Value::Object(recorded)) = (value, recorded) {
        assert!(value.keys().eq(recorded.keys()), "{value:?}\n{recorded:?}");
        for (key, recorded) in recorded {
            same_keys(&value[key], recorded);
        }
    }
}

#[tokio::test]
async fn logins_answer_as_recorded() {
    let sim = start(3).await;
    let (http, base) = (http(), format!("{}/api", sim.base_url()));

    let (status, body) = post_login(&http, &base, "admin@gkbj.org", "core-sim").await;
    let recorded = sample("login.json");
    assert_eq!(status, recorded.status);
    same_keys(&body, &recorded.body);
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["user"]["church_id"], FIRST_CHURCH_ID);
    assert_eq!(body["church"]["name"], "GKBJ");

    for (email, password) in [("admin@gkbj.org", "wrong"), ("nobody@gkbj.org", "core-sim")] {
        let (status, body) = post_login(&http, &base, email, password).await;
        let recorded = sample("login-wrong-password.json");
        assert_eq!((status, body), (recorded.status, recorded.body));
    }
    let request = http.post(format!("{base}/auth/login")).json(&json!({"email": "a@b.c"}));
    let (status, body) = json_of(request.send().await.unwrap()).await;
    assert_eq!((status, &body["detail"][0]["type"]), (422, &json!("missing")));
    assert_eq!(sim.counters().answered(Endpoint::Login, 401), 2);
    assert_eq!(sim.requests(Endpoint::Login), 4);
}

#[tokio::test]
async fn sixth_login_of_a_minute_is_refused() {
    let sim = CoreSim::start(Options::default()).await.unwrap();
    let (http, base) = (http(), format!("{}/api", sim.base_url()));
    for password in ["core-sim", "wrong", "wrong", "wrong", "core-sim"] {
        let (status, _) = post_login(&http, &base, "admin@gkbj.org", password).await;
        assert_ne!(status, 429);
    }
    let credentials = json!({"email": "admin@gkbj.org", "password": "core-sim"});
    let request = http.post(format!("{base}/auth/login")).json(&credentials);
    let response = request.send().await.unwrap();
    let retry_after = response.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
    assert!((1..=60).contains(&retry_after));
    let (status, body) = json_of(response).await;
    assert_eq!(status, 429);
    assert_eq!(body["detail"]["error_code"], "RATE_LIMIT_EXCEEDED");
    assert_eq!(body["detail"]["retry_after"], retry_after);
    assert!(body["detail"]["message"].is_string());

    sim.set(|settings| settings.login_limit = None);
    let (status, _) = post_login(&http, &base, "admin@gkbj.org", "core-sim").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn recorded_member_comes_back_as_recorded() {
    let sim = start(3).await;
    let member = recorded_member();
    let id = member.text("id").unwrap().to_owned();
    sim.put(FIRST_CHURCH_ID, &id, member.clone()).unwrap();
    let client = Client::of_first_church(&sim).await;
    let response = client.request(&format!("/members/{id}")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.bytes().await.unwrap(), member.to_bytes());

    sim.delete(&id, Webhook::AsUsual).unwrap();
    let (status, body) = client.member(&id).await;
    let mut recorded = sample("member-soft-deleted.json");
    assert_eq!(body["is_deleted"], true);
    assert_eq!(body["is_active"], false);
    for key in ["deleted_at", "updated_at"] {
        let moment = body[key].as_str().unwrap();
        assert_eq!(moment.len(), "2026-11-23T16:10:21.816515".len(), "{moment}");
        recorded.body[key] = body[key].clone();
    }
    assert_eq!((status, body), (recorded.status, recorded.body));

    sim.purge(&id, Webhook::AsUsual).unwrap();
    let recorded = sample("member-unknown.json");
    assert_eq!(client.member(&id).await, (recorded.status, recorded.body));
}

#[tokio::test]
async fn refusals_answer_as_recorded() {
    let sim = start(3).await;
    let client = Client::of_first_church(&sim).await;
    let id = first_member(&sim);

    let recorded = sample("member-unknown.json");
    assert_eq!(client.member("nope").await, (recorded.status, recorded.body));

    let url = format!("{}/api/members/{id}", sim.base_url());
    let answer = json_of(client.http.get(&url).send().await.unwrap()).await;
    let recorded = sample("member-no-token.json");
    assert_eq!(answer, (recorded.status, recorded.body));

    let answer = json_of(client.http.get(&url).bearer_auth("bad").send().await.unwrap()).await;
    let recorded = sample("member-bad-token.json");
    assert_eq!(answer, (recorded.status, recorded.body.clone()));

    assert_eq!(client.member(&id).await.0, 200);
    sim.revoke_tokens();
    assert_eq!(client.member(&id).await, (recorded.status, recorded.body));

    sim.set(|settings| settings.token_lifetime_ms = 0);
    let expired = Client::of_first_church(&sim).await;
    assert_eq!(expired.member(&id).await.0, 401);

    assert_eq!(client.get("/nothing").await.0, 404);
    let deleted = client.http.delete(&url).send().await.unwrap();
    assert_eq!(deleted.headers()["allow"], "GET");
    assert_eq!(deleted.status().as_u16(), 405);
}

#[tokio::test]
async fn other_churches_are_seen_by_the_super_admin_alone() {
    let sim = start(3).await;
    let other = sim.churches[1].id.clone();
    let foreign = sim.member_id(&other, 1).unwrap();
    let client = Client::of_first_church(&sim).await;
    assert_eq!(client.member(&foreign).await, (404, json!({"detail": "Member not found"})));
    sim.set(|settings| settings.foreign_member_status = 403);
    assert_eq!(client.member(&foreign).await, (403, json!({"detail": "Access denied"})));

    let super_admin = Client::login(&sim, SUPER_ADMIN_EMAIL).await;
    let (status, body) = super_admin.member(&foreign).await;
    assert_eq!((status, &body["church_id"]), (200, &json!(other)));
    assert_eq!(super_admin.ids("limit=1000").await.len(), 6);
    assert_eq!(client.ids("limit=1000").await.len(), 3);
    let across = super_admin.ids("skip=2&limit=2").await;
    assert_eq!(across[0], sim.member_id(FIRST_CHURCH_ID, 2).unwrap());
    assert_eq!(across[1], sim.member_id(&other, 0).unwrap());
}

#[tokio::test]
async fn ids_may_have_any_character() {
    let sim = start(0).await;
    let id = "a/b ü?#%";
    sim.create(FIRST_CHURCH_ID, json!({"id": id, "full_name": "Odd Id"}), Webhook::AsUsual)
        .unwrap();
    let client = Client::of_first_church(&sim).await;
    let (status, body) = client.member("a%2Fb%20%C3%BC%3F%23%25").await;
    assert_eq!((status, &body["id"]), (200, &json!(id)));
    assert_eq!(sim.member_requests(id), 1);
}

#[tokio::test]
async fn slash_at_the_end_is_redirected() {
    let sim = start(3).await;
    let client = Client::of_first_church(&sim).await;
    let response = client.request("/members?skip=1&limit=2").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 307);
    let expected = format!("{}/api/members/?skip=1&limit=2", sim.base_url());
    assert_eq!(response.headers()["location"], expected.as_str());
}

#[tokio::test]
async fn goes_away_and_comes_back_with_its_state() {
    let mut sim = start(3).await;
    let client = Client::of_first_church(&sim).await;
    let id = first_member(&sim);
    sim.go_away().await;
    assert!(client.request(&format!("/members/{id}")).send().await.unwrap_err().is_connect());
    sim.come_back().await.unwrap();
    assert_eq!(client.member(&id).await.0, 200);
}
