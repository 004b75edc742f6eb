//! `faithctl deliveries discard`: an end for what was lost with its queue.

use std::time::Duration;

use core_sim::{Endpoint, Fault, FaultKind};
use harness::{TestSystem, eventually};
use queue::{RetryQueue, lapin::options::QueueDeleteOptions};
use serde_json::json;

use crate::worker::campus_under_test::{CampusUnderTest, SOON};

const DELAY: Duration = Duration::from_hours(1);

/// Another delivery that is retrying, since an operator replays its letter.
const REPLAYED: &str = "
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, payload, signature_valid, received_at, status)
    SELECT gen_random_uuid(), campus_id, 'replayed', 'member.updated', '{}', true, now() - interval '1 hour', 'retrying'
    FROM sync_configs;
    INSERT INTO dead_letters (id, event_id, event_type, cause, reason, attempts, first_failed_at, dead_at,
                              envelope, status, received_at)
    SELECT id, event_id, event_type, 'poison', 'Why.', 1, now(), now(), '{}', 'replaying', received_at
    FROM webhook_logs WHERE event_id = 'replayed'";

#[tokio::test]
async fn deliveries_that_were_lost_with_their_queue_are_discarded_and_others_are_not() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "1h").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let failing = FaultKind::Status { status: 403, retry_after: None };
    system.core.add_fault(Fault::everywhere(failing).at(Endpoint::Member));
    let member = system.core.member_id(campus.church_id(), 0).unwrap();
    let event = campus.post("member.updated", &member).await;
    let log = async |event: &str| {
        let rows = "SELECT * FROM webhook_logs WHERE event_id = $1";
        system.database.rows(rows, &[&event]).await.pop().unwrap_or_default()
    };
    let delayed = RetryQueue(DELAY).name();
    eventually("it waits for another attempt", SOON, async || {
        system.queue_depth(&delayed).await == Some(1)
    })
    .await;
    system.database.client().batch_execute(REPLAYED).await.unwrap();
    for worker in 0..system.replicas("worker") {
        system.worker(worker).terminate(Duration::from_secs(25)).await.unwrap();
    }

    let discard = async |more: &[&str]| {
        let arguments = ["deliveries", "discard", "--note", "lost with its queue"];
        system.faithctl(&[&arguments, more].concat()).await
    };
    let refused = discard(&["--yes"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains(&format!("{delayed} holds 1 message")), "{refused:?}");
    assert_eq!(log(&event).await["status"], "retrying");

    let channel = system.broker.channel().await;
    channel.queue_delete(delayed.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    assert_eq!(discard(&[]).await.code, Some(2), "nobody can be asked");
    assert_eq!(discard(&["--yes", "--until", "1h"]).await.code, Some(1), "it came later");
    let tried = discard(&["--dry-run", "--json"]).await.json();
    assert_eq!(tried, json!({"matched": 1, "discarded": 0, "dry_run": true}));
    assert_eq!(log(&event).await["status"], "retrying");
    let said = discard(&["--yes"]).await.success();
    assert_eq!(said.trim(), "discarded 1 of 1 delivery");
    let lost = log(&event).await;
    assert_eq!(lost["status"], "discarded", "{lost}");
    assert_eq!(lost["message"], "lost with its queue", "{lost}");
    assert!(lost["processed_at"].is_string() && lost["error"].is_string(), "{lost}");
    assert_eq!(log("replayed").await["status"], "retrying");

    let age = "SELECT oldest_retrying_event_age()";
    let age: f64 = system.database.client().query_one(age, &[]).await.unwrap().get(0);
    assert!(age.abs() < 1e-9, "an event without an end is {age} s old");
    assert_eq!(discard(&["--yes"]).await.code, Some(1), "there is no other");
}
