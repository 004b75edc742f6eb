//! Configuration that changes while the worker runs: it is read at admission.

use std::time::Duration;

use core_sim::{CoreSim, Endpoint, Fault, FaultKind, Options, WebhookBody};
use futures_util::future::join_all;
use harness::{TestSystem, eventually};
use serde_json::{Value, json};

use super::{
    campus_under_test::{CampusUnderTest, SOON},
    filter::set_filter,
    queue::assert_queues_are_empty,
};

/// Long enough that many reads are under way when the configuration changes.
const SLOW: FaultKind = FaultKind::Latency { ms: 300, jitter_ms: 400, stale: false };

impl CampusUnderTest<'_> {
    /// Waits until the gateway knows a campus that was just added.
    pub(super) async fn until_known(&self) {
        let test = WebhookBody::test(self.church_id());
        eventually("the gateway knows the campus", SOON, async || {
            self.system.post(self, &test).await.status == 200
        })
        .await;
    }
}

#[tokio::test]
async fn a_campus_that_is_added_meanwhile_is_synced() {
    let options = Options::default();
    let second = options.churches[1].clone();
    let system = TestSystem::builder().core(options).spawn().await;
    let first = CampusUnderTest::first(&system);
    let member = first.bring(json!({"full_name": "First"})).await;

    let added = system.add_campus(&second, &["--timezone", "Asia/Jakarta"]).await;
    let campus = CampusUnderTest::of(&system, &added);
    campus.until_known().await;
    let newcomer = campus.create(json!({"full_name": "Newcomer"}));
    assert_eq!(
        campus.sync("member.created", &newcomer).await["message"],
        "Member created: Newcomer"
    );
    assert_eq!(campus.member(&newcomer).await["campus_id"], added.id.as_str());
    assert_eq!(first.row(&newcomer).await, None);
    assert_eq!(first.sync("member.updated", &member).await["status"], "processed");
    assert_eq!(system.core.requests(Endpoint::Login), 2, "one for each campus");
}

#[tokio::test]
async fn events_of_a_campus_that_was_disabled_wait_for_an_operator() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    campus.change(&member, json!({"full_name": "Budi Santoso"}));
    let before = campus.member(&member).await;

    // Accepted while it was enabled, admitted when it is no longer.
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    let events = [
        campus.post("member.updated", &member).await,
        campus.post("member.deleted", &member).await,
    ];
    system.faithctl(&["campus", "disable", &campus.id]).await.success();
    system.start_again("worker", 0).await;
    for event in &events {
        let log = campus.end_of(event).await;
        assert_eq!((&log["status"], &log["attempts"]), (&json!("dead"), &json!(1)));
        let letter = campus.dead_letter(event).await;
        assert_eq!(
            (&letter["cause"], &letter["status"]),
            (&json!("sync_disabled"), &json!("open"))
        );
        assert_eq!(letter["attempts"], 1);
    }
    assert_eq!(campus.member(&member).await, before);
    assert_eq!(system.core.member_requests(&member), 1, "that of its creation");
    eventually("the gateway refuses events", SOON, async || {
        system.post(&campus, &campus.body("member.updated", &member)).await.status == 403
    })
    .await;

    system.faithctl(&["campus", "enable", &campus.id]).await.success();
    eventually("the gateway takes events", SOON, async || {
        system.post(&campus, &WebhookBody::test(campus.church_id())).await.status == 200
    })
    .await;
    assert_eq!(
        campus.sync("member.updated", &member).await["message"],
        "Member updated: Budi Santoso"
    );
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn events_of_a_campus_without_any_sync_wait_for_an_operator() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    let event = campus.post("member.updated", "anybody").await;
    campus.execute("DELETE FROM sync_configs").await;
    system.start_again("worker", 0).await;
    let letter = campus.dead_letter(&event).await;
    assert_eq!((&letter["cause"], &letter["attempts"]), (&json!("sync_disabled"), &json!(1)));
    assert_eq!(campus.log(&event).await[0]["status"], "dead");
    assert_eq!(system.database.rows("SELECT FROM members", &[]).await, Vec::<Value>::new());
}

impl CampusUnderTest<'_> {
    /// Makes members in a slow core and posts an event for each, until some of them are here.
    async fn create_slowly(&self, ids: &[String]) -> Vec<String> {
        self.system.core.add_fault(Fault::everywhere(SLOW).at(Endpoint::Member));
        for id in ids {
            self.create(json!({"id": id, "full_name": "Old"}));
        }
        let events = join_all(ids.iter().map(|id| self.post("member.created", id))).await;
        eventually("some members are here", SOON, async || self.here().await.len() > 4).await;
        events
    }

    async fn here(&self) -> Vec<Value> {
        let query = "SELECT external_member_id, name, is_archived FROM members ORDER BY 1";
        self.system.database.rows(query, &[]).await
    }

    async fn statuses(&self, events: &[String]) -> Vec<String> {
        let ends = join_all(events.iter().map(|event| self.end_of(event))).await;
        ends.iter().map(|log| log["status"].as_str().unwrap().to_owned()).collect()
    }

    async fn versions(&self) -> (i64, i64) {
        let query =
            "SELECT version, synced_version FROM sync_configs WHERE campus_id = $1::text::uuid";
        let row = self.system.database.client().query_one(query, &[&self.id]).await.unwrap();
        (row.get(0), row.get(1))
    }
}

fn ids() -> Vec<String> {
    (0..60).map(|n| format!("m-{n:02}")).collect()
}

#[tokio::test]
async fn nobody_is_written_who_was_read_under_an_older_filter() {
    let system = TestSystem::builder().workers(2).spawn().await;
    let campus = CampusUnderTest::first(&system);
    let events = campus.create_slowly(&ids()).await;
    let nobody = json!([{"field": "full_name", "operator": "equals", "value": "Nobody"}]);
    set_filter(campus, "include", nobody).await;
    let before = campus.here().await;
    let statuses = campus.statuses(&events).await;
    assert_eq!(campus.here().await, before, "as when the command returned");
    let filtered = statuses.iter().filter(|status| *status == "filtered").count();
    assert!(filtered > 10 && filtered == ids().len() - before.len(), "{statuses:?}");

    // And the other way round: who was kept out is let in.
    let events = join_all(ids().iter().map(|id| campus.post("member.updated", id))).await;
    system.faithctl(&["campus", "clear-filter", &campus.id]).await.success();
    campus.statuses(&events).await;
    let late = join_all(ids().iter().map(|id| campus.post("member.updated", id))).await;
    assert!(campus.statuses(&late).await.iter().all(|status| status == "processed"));
    let here = campus.here().await;
    assert_eq!(here.len(), ids().len());
    assert!(here.iter().all(|member| member["is_archived"] == false), "{here:?}");
}

#[tokio::test]
async fn nobody_is_written_after_the_campus_was_disabled() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let events = campus.create_slowly(&ids()).await;
    system.faithctl(&["campus", "disable", &campus.id]).await.success();
    let before = campus.here().await;
    let statuses = campus.statuses(&events).await;
    assert_eq!(campus.here().await, before, "as when the command returned");
    let dead = statuses.iter().filter(|status| *status == "dead").count();
    assert!(dead > 10 && dead == ids().len() - before.len(), "{statuses:?}");
    let causes = system.database.rows("SELECT DISTINCT cause FROM dead_letters", &[]).await;
    assert_eq!(causes, [json!({"cause": "sync_disabled"})]);
}

#[tokio::test]
async fn nothing_is_written_that_another_core_said() {
    let options = Options::default();
    let system = TestSystem::builder().core(options.clone()).spawn().await;
    let campus = CampusUnderTest::first(&system);
    let other = CoreSim::start(options).await.unwrap();
    for id in ids() {
        let answer = json!({"id": id, "church_id": campus.church_id(), "full_name": "New"});
        other.put(campus.church_id(), &id, answer).unwrap();
    }
    let events = campus.create_slowly(&ids()).await;
    let set = ["campus", "set", &campus.id, "--api-base-url", &other.base_url()];
    system.faithctl(&set).await.success();
    let before = campus.here().await;
    assert!(campus.statuses(&events).await.iter().all(|status| status == "processed"));
    let old = |rows: &[Value]| rows.iter().filter(|row| row["name"] == "Old").count();
    let after = campus.here().await;
    assert_eq!((after.len(), old(&after)), (ids().len(), old(&before)), "{after:?}");
}

#[tokio::test]
async fn what_is_not_synced_has_a_version_of_its_own() {
    let system = TestSystem::builder().workers(0).spawn().await;
    let campus = CampusUnderTest::first(&system);
    let id = campus.id.as_str();
    let mut before = campus.versions().await;
    for (change, is_synced) in [
        (vec!["campus", "rotate-secret", id], false),
        (vec!["campus", "set", id, "--rate-limit", "50/s"], false),
        (vec!["campus", "set", id, "--reconciliation-time", "04:30"], false),
        (vec!["campus", "set", id, "--timezone", "Asia/Makassar"], true),
        (vec!["campus", "set", id, "--default-country", "SG"], true),
        (vec!["campus", "set", id, "--api-path-prefix", "/v2"], true),
        (vec!["campus", "disable", id], true),
    ] {
        system.faithctl(&change).await.success();
        let after = campus.versions().await;
        assert!(after.0 > before.0, "{change:?}: {after:?}");
        assert_eq!(after.1 > before.1, is_synced, "{change:?}: {after:?}");
        before = after;
    }
    // What a run says of itself is no change at all.
    campus.execute("UPDATE sync_configs SET last_sync_status = 'success'").await;
    assert_eq!(campus.versions().await, before);
}

#[tokio::test]
async fn a_change_that_is_not_committed_delays_its_own_campus_only() {
    let options = Options::default();
    let second = options.churches[1].clone();
    let delays = ("RETRY_DELAYS", "500ms");
    let system = TestSystem::builder().core(options).variable(delays.0, delays.1).spawn().await;
    let added = system.add_campus(&second, &[]).await;
    let (first, other) = (CampusUnderTest::first(&system), CampusUnderTest::of(&system, &added));
    other.until_known().await;
    let mut session = system.database.connect().await;
    let change = session.transaction().await.unwrap();
    change
        .execute(
            "UPDATE sync_configs SET default_country = 'SG' WHERE campus_id = $1::text::uuid",
            &[&first.id],
        )
        .await
        .unwrap();

    let waiting = first.create(json!({"full_name": "Waiting"}));
    let event = first.post("member.created", &waiting).await;
    let log = eventually("the event waits", SOON, async || first.log(&event).await.pop()).await;
    assert_eq!((&log["status"], &log["attempts"]), (&json!("retrying"), &json!(0)));
    other.bring(json!({"full_name": "Other"})).await;
    assert_eq!(first.row(&waiting).await, None);
    change.commit().await.unwrap();
    let log = first.end_of(&event).await;
    assert_eq!((&log["message"], &log["attempts"]), (&json!("Member created: Waiting"), &json!(1)));
}
