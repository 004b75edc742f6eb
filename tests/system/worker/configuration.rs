//! Configuration that changes while the worker runs (CORRECTNESS §6: it is read at admission).

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    core_sim::{Endpoint, Options, WebhookBody},
    harness::{TestSystem, eventually},
};

use super::{
    church::{Church, SOON},
    queue::assert_queues_are_empty,
};

impl Church<'_> {
    /// Waits until the gateway knows a campus that was just added.
    pub(super) async fn until_known(&self) {
        let test = WebhookBody::test(self.church_id());
        eventually("the gateway knows the campus", SOON, async || {
            self.system.post(self.campus, &test).await.status == 200
        })
        .await;
    }
}

#[tokio::test]
async fn a_campus_that_is_added_meanwhile_is_synced() {
    let options = Options::default();
    let second = options.churches[1].clone();
    let system = TestSystem::builder().core(options).spawn().await;
    let first = Church::first(&system);
    let member = first.bring(json!({"full_name": "First"})).await;

    let campus = system.add_campus(&second, &["--timezone", "Asia/Jakarta"]).await;
    let church = Church { system: &system, campus: &campus };
    church.until_known().await;
    let newcomer = church.create(json!({"full_name": "Newcomer"}));
    assert_eq!(
        church.sync("member.created", &newcomer).await["message"],
        "Member created: Newcomer"
    );
    assert_eq!(church.member(&newcomer).await["campus_id"], campus.id.as_str());
    assert_eq!(first.row(&newcomer).await, None);
    assert_eq!(first.sync("member.updated", &member).await["status"], "processed");
    assert_eq!(system.core.requests(Endpoint::Login), 2, "one for each campus");
}

#[tokio::test]
async fn events_of_a_campus_that_was_disabled_wait_for_an_operator() {
    let system = TestSystem::spawn().await;
    let church = Church::first(&system);
    let member = church.bring(json!({"full_name": "Budi"})).await;
    church.change(&member, json!({"full_name": "Budi Santoso"}));
    let before = church.member(&member).await;

    // Accepted while it was enabled, admitted when it is no longer.
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    let events = [
        church.post("member.updated", &member).await,
        church.post("member.deleted", &member).await,
    ];
    system.faithctl(&["campus", "disable", &church.campus.id]).await.success();
    system.start_again("worker", 0).await;
    for event in &events {
        let log = church.end_of(event).await;
        assert_eq!((&log["status"], &log["attempts"]), (&json!("dead"), &json!(1)));
        let letter = church.dead_letter(event).await;
        assert_eq!(
            (&letter["cause"], &letter["status"]),
            (&json!("sync_disabled"), &json!("open"))
        );
        assert_eq!(letter["attempts"], 1);
    }
    assert_eq!(church.member(&member).await, before);
    assert_eq!(system.core.member_requests(&member), 1, "that of its creation");
    eventually("the gateway refuses events", SOON, async || {
        system.post(church.campus, &church.body("member.updated", &member)).await.status == 403
    })
    .await;

    system.faithctl(&["campus", "enable", &church.campus.id]).await.success();
    eventually("the gateway takes events", SOON, async || {
        system.post(church.campus, &WebhookBody::test(church.church_id())).await.status == 200
    })
    .await;
    assert_eq!(
        church.sync("member.updated", &member).await["message"],
        "Member updated: Budi Santoso"
    );
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn events_of_a_campus_without_any_sync_wait_for_an_operator() {
    let system = TestSystem::spawn().await;
    let church = Church::first(&system);
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    let event = church.post("member.updated", "anybody").await;
    church.execute("DELETE FROM sync_configs").await;
    system.start_again("worker", 0).await;
    let letter = church.dead_letter(&event).await;
    assert_eq!((&letter["cause"], &letter["attempts"]), (&json!("sync_disabled"), &json!(1)));
    assert_eq!(church.log(&event).await[0]["status"], "dead");
    assert_eq!(system.database.rows("SELECT FROM members", &[]).await, Vec::<Value>::new());
}
