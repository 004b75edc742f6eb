//! How sessions end.

use reqwest::StatusCode;

use super::{Console, campus_alone};

#[tokio::test]
async fn a_session_ends_unused_or_old_or_with_its_operator() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    for (change, is_over) in [
        ("UPDATE operator_sessions SET seen_at = now() - interval '29 min'", false),
        ("UPDATE operator_sessions SET seen_at = now() - interval '31 min'", true),
        ("UPDATE operator_sessions SET expires_at = now() - interval '1 s'", true),
        ("UPDATE operators SET disabled_at = now()", true),
        ("DELETE FROM operators", true),
    ] {
        let browser = console.logged_in(&system, "viewer", None).await;
        assert_eq!(browser.get("/account").await.status, StatusCode::OK);
        system.database.client().batch_execute(change).await.unwrap();
        let page = browser.get("/account").await;
        let expected = if is_over { StatusCode::SEE_OTHER } else { StatusCode::OK };
        assert_eq!(page.status, expected, "{change}");
        if is_over {
            assert_eq!(page.location(), "/login?next=%2Faccount");
        } else {
            let used = "SELECT FROM operator_sessions WHERE seen_at > now() - interval '1 min'";
            assert_eq!(system.database.rows(used, &[]).await.len(), 1, "that it was used is noted");
        }
        system.database.client().batch_execute("DELETE FROM operators").await.unwrap();
    }
    let browser = console.logged_in(&system, "viewer", None).await;
    let kept = browser.token().unwrap();
    let operator = "SELECT operator_id FROM operator_sessions";
    let operator = system.database.client().query_one(operator, &[]).await.unwrap().get(0);
    super::session(&system, Some(operator), "ani").await;
    assert!(browser.get("/account").await.text.contains("End the others"));
    assert_eq!(browser.post("/account/sessions", &[]).await.location(), "/account?done=sessions");
    let left = system
        .database
        .rows("SELECT encode(token_sha256, 'hex') AS hash FROM operator_sessions", &[])
        .await;
    assert_eq!(left, [serde_json::json!({"hash": hex::encode(kept.hash())})]);
}

#[tokio::test]
async fn a_session_may_ask_300_times_a_minute() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    let browser = console.logged_in(&system, "viewer", None).await;
    let mut pages = Vec::new();
    for _ in 0..4 {
        let asked = (0..80).map(|_| browser.get("/search"));
        pages.extend(futures_util::future::join_all(asked).await);
    }
    let refused = pages.iter().filter(|page| page.status == StatusCode::TOO_MANY_REQUESTS).count();
    assert!((1..=20).contains(&refused), "{refused} of 320");
    let other = console.logged_in(&system, "viewer", None).await;
    assert_eq!(other.get("/search").await.status, StatusCode::OK);
}
