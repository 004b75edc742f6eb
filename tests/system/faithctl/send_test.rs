//! `faithctl send-test`, against a real gateway and worker.

use std::time::Duration;

use harness::{TestSystem, WEBHOOK_PATH, eventually};

use super::assert_failed;

#[tokio::test]
async fn it_sends_what_the_gateway_accepts_and_says_what_to_do_about_a_refusal() {
    let system = TestSystem::spawn().await;
    let id = system.campus.id.as_str();
    let base = system.gateway_url();
    let send = async |gateway: &str, more: &[&str]| {
        system.faithctl(&[&["send-test", id, "--gateway", gateway], more].concat()).await
    };
    for gateway in [base.clone(), format!("{base}/"), format!("{base}{WEBHOOK_PATH}")] {
        let said = send(&gateway, &[]).await.success();
        assert!(
            said.starts_with("200 OK\n{\"success\":true,\"message\":\"Webhook test successful!"),
            "{said}"
        );
    }
    let core = system.core.base_url();
    assert_failed(&send(&core, &[]).await, 1, "not at the webhook path");
    assert_failed(&send("http://127.0.0.1:9", &[]).await, 1, "is a gateway running there");
    assert_eq!(send("nonsense", &[]).await.code, Some(2));
    assert_failed(&send(&base, &["--event", "member.updated"]).await, 2, "needs --member");

    system.faithctl(&["campus", "disable", id]).await.success();
    let refused = eventually("the campus is disabled", Duration::from_secs(10), async || {
        Some(send(&base, &[]).await).filter(|finished| finished.code == Some(1))
    })
    .await;
    assert!(refused.stdout.starts_with("403 Forbidden\n"), "{refused:?}");
    assert_failed(&refused, 1, "campus enable");
}

#[tokio::test]
async fn a_member_event_is_synced_and_its_delivery_found() {
    let system = TestSystem::spawn().await;
    let id = system.campus.id.as_str();
    let fields = ["campus", "discover-fields", id, "--json"];
    let fields = system.faithctl(&fields).await.json();
    let ids = fields.as_array().unwrap().iter().find(|field| field["field"] == "id").unwrap();
    let member = ids["samples"][0].as_str().unwrap();
    let gateway = system.gateway_url();
    let send =
        ["send-test", id, "--gateway", &gateway, "--event", "member.created", "--member", member];
    let answered = system.faithctl(&send).await;
    assert!(answered.stdout.starts_with("202 Accepted\n"), "{answered:?}");
    // The hint on stderr is a command that can be pasted.
    let (_, hint) = answered.stderr.split_once("`faithctl deliveries show ").unwrap();
    let event = hint.split('`').next().unwrap();
    let delivery = eventually("the delivery is processed", Duration::from_secs(20), async || {
        let shown = system.faithctl(&["deliveries", "show", event, "--json"]).await;
        (shown.code == Some(0)).then(|| shown.json())
    })
    .await;
    assert_eq!(
        (&delivery["status"], &delivery["member_id"]),
        (&"processed".into(), &member.into())
    );
}
