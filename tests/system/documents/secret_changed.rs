//! `intake.md` and `secret-rotation.md`: FaithFlow signs with another secret than we have.

use harness::{TestSystem, eventually};
use serde_json::json;

use super::{
    shell::{SECRET, Shell},
    walk::Walk,
};
use crate::worker::campus_under_test::{CampusUnderTest, SOON};

#[tokio::test]
async fn webhooks_that_are_refused_get_a_secret_that_fits_and_what_was_missed_is_reconciled() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let shell = Shell::of(&system);
    system.reconcile(&["--once", "--campus", &campus.id]).await.success();
    let member = system.core.member_id(campus.church_id(), 0).unwrap();
    campus.change(&member, json!({"full_name": "Missed"}));
    let body = campus.body("member.updated", &member).to_bytes();
    let refused = system.post_signed(SECRET, &body).await;
    assert_eq!(refused.status, 401);
    eventually("the refusal is in the log", SOON, async || {
        let query = "SELECT id FROM webhook_logs WHERE status = 'rejected'";
        !system.database.rows(query, &[]).await.is_empty()
    })
    .await;

    let mut intake = Walk::of("deploy/runbooks/intake.md");
    let look = intake.next(&shell).await;
    assert!(look[0].stdout.contains("Invalid webhook signature"), "{look:#?}");
    let mut rotation = Walk::of("deploy/runbooks/secret-rotation.md");
    for _ in 0..5 {
        rotation.next(&shell).await;
    }
    rotation.end();
    let test = campus.body("test", &member).to_bytes();
    eventually("the secret is in force", SOON, async || {
        system.post_signed(SECRET, &test).await.status == 200
    })
    .await;
    intake.next(&shell).await;
    intake.end();
    assert_eq!(campus.member(&member).await["name"], "Missed");
}
