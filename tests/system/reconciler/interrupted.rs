//! Runs that are killed, interrupted, or doubled; and webhooks that come while one is under way.

use std::time::Duration;

use core_sim::{Endpoint, Fault, FaultKind, Options, RandomChanges};
use harness::{TestSystem, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

use super::night::{Night, counts};

const SOON: Duration = Duration::from_mins(1);

async fn until_asked(night: &Night, endpoint: Endpoint, requests: u64) {
    eventually("the core was asked so often", SOON, async || {
        let seen = night.system.core.requests(endpoint);
        if seen >= requests { Ok(()) } else { Err(format!("{seen} of {requests}")) }
    })
    .await;
}

/// Runs that are killed when the core was asked so often, unless they are done before.
async fn kill_after(night: &Night, endpoint: Endpoint, requests: &[u64]) {
    for requests in requests {
        night.system.core.reset_counters();
        let program = night.process(&format!("killed-{endpoint:?}-{requests}"));
        eventually("it asked so often, or is done", SOON, async || {
            night.system.core.requests(endpoint) >= *requests || program.ended().is_some()
        })
        .await;
        program.kill();
        program.wait().await;
    }
}

#[tokio::test]
async fn a_run_that_is_killed_anywhere_is_run_again() {
    let night = Night::new(700).await;
    let slow = FaultKind::Latency { ms: 20, jitter_ms: 20, stale: false };
    night.fault(slow);
    kill_after(&night, Endpoint::List, &[1, 2, 3]).await;
    let imported = night.pass().await;
    assert_eq!(imported["status"], "success");
    night.assert_equal().await;
    // Now among repairs and archives.
    night
        .execute("UPDATE members SET name = 'x'; UPDATE sync_configs SET archive_limit = 100")
        .await;
    let gone: Vec<String> = (0..40).map(|row| night.id(row)).collect();
    for id in &gone {
        if !night.system.core.member(id).is_some_and(|member| member.is_true("is_deleted")) {
            night.delete(id);
        }
    }
    kill_after(&night, Endpoint::Member, &[30, 300, 650, 720]).await;
    night.pass().await;
    night.assert_equal().await;
    let before = night.versions().await;
    assert_eq!(counts(&night.pass().await)[1..5], [0, 0, 0, 0]);
    assert_eq!(night.versions().await, before);
    let open = "SELECT count(*) FROM sync_logs WHERE status = 'in_progress'";
    assert_eq!(night.system.database.rows(open, &[]).await, [json!({"count": 0})]);
    let killed = "SELECT error_message FROM sync_logs WHERE status = 'error' LIMIT 1";
    let message = &night.system.database.rows(killed, &[]).await[0]["error_message"];
    assert!(message.as_str().unwrap().contains("without a word"), "{message}");
}

#[tokio::test]
async fn runs_that_are_killed_at_any_moment_leave_nothing_wrong_behind() {
    let night = Night::imported(1500).await;
    let gone: Vec<String> = (0..30).map(|row| night.id(row)).collect();
    for id in &gone {
        night.delete(id);
    }
    night.execute("UPDATE sync_configs SET archive_limit = 100").await;
    let seed = Uuid::new_v4();
    for (number, byte) in seed.as_bytes()[..8].iter().enumerate() {
        let drift = format!("UPDATE members SET name = 'x{number}' WHERE NOT is_archived");
        night.execute(&drift).await;
        let program = night.process(&format!("killed-{seed}-{number}"));
        // Anywhere in the run, its beginning and its end included.
        tokio::time::sleep(Duration::from_millis(u64::from(*byte) * 10)).await;
        program.kill();
        program.wait().await;
        let active = night.active().await;
        assert!(active >= counts_of_core(&night), "{seed}: somebody was archived by mistake");
    }
    night.pass().await;
    night.assert_equal().await;
    let before = night.versions().await;
    assert_eq!(counts(&night.pass().await)[1..5], [0, 0, 0, 0], "{seed}");
    assert_eq!(night.versions().await, before, "{seed}");
}

/// How many active members the core has.
fn counts_of_core(night: &Night) -> u64 {
    let mut active = 0;
    let church = &night.system.campus.core_church_id;
    let count = |member: &core_sim::Document| {
        active += u64::from(member.is_true("is_active") && !member.is_true("is_deleted"));
    };
    night.system.core.for_each_member(church, count).unwrap();
    active
}

#[tokio::test]
async fn an_interrupted_run_exits_130_and_says_so() {
    let night = Night::new(400).await;
    night.fault(FaultKind::Hang);
    let program = night.process("interrupted");
    until_asked(&night, Endpoint::Login, 1).await;
    let status = program.terminate(Duration::from_secs(20)).await.unwrap();
    assert_eq!(status.code(), Some(130));
    let run = night.last_run().await;
    assert_eq!(
        (&run["status"], &run["error_message"]),
        (&json!("error"), &json!("the run was interrupted"))
    );
}

#[tokio::test]
async fn two_at_once_are_one_run_and_one_refusal() {
    let night = Night::new(400).await;
    let slow = FaultKind::Latency { ms: 5000, jitter_ms: 0, stale: false };
    night.system.core.add_fault(Fault::everywhere(slow).at(Endpoint::List).with_times(1));
    let first = night.process("first");
    until_asked(&night, Endpoint::List, 1).await;
    let second = night.run(&[]).await;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains("under way already"), "{second:?}");
    assert_eq!(first.wait().await.and_then(|status| status.code()), Some(0));
    night.assert_equal().await;
}

#[tokio::test]
async fn webhooks_that_race_the_scan_are_never_overwritten_by_it() {
    let churches = Options::churches_of(1, 1, 300);
    let core = Options { churches, ..Options::default() };
    let system = TestSystem::builder().core(core).spawn().await;
    let url = format!("{}/api/sync/webhook", system.gateway_url());
    let church = system.campus.core_church_id.clone();
    system.core.set_webhook(&church, &url, &system.campus.secret).unwrap();
    let night = Night { system };
    night.execute("UPDATE sync_configs SET archive_limit = 100").await;
    night.execute(RECORDER).await;
    night.pass().await;
    night.execute("UPDATE members SET category = 'drifted'").await;
    // Answers that are old when they come, on both sides.
    night.fault(FaultKind::Latency { ms: 0, jitter_ms: 40, stale: true });
    night.system.core.set(|settings| settings.sender = true);
    let nights = async {
        for _ in 0..3 {
            night.run(&[]).await;
        }
    };
    let changes = async {
        for seed in 0..30 {
            let changes = RandomChanges {
                seed,
                count: 10,
                church_id: Some(church.clone()),
                webhooks: Some(true),
            };
            night.system.core.random_changes(&changes).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::join!(nights, changes);
    eventually("no webhook is pending", SOON, async || {
        night.system.queue_depth("member-events.work").await == Some(0)
            && night
                .system
                .core
                .deliveries()
                .iter()
                .all(|delivery| delivery.state != core_sim::DeliveryState::Pending)
    })
    .await;
    night.system.core.clear_faults();
    night.pass().await;
    let rows = night
        .system
        .database
        .rows("SELECT member, seen_from, seen_to, unasked FROM applied_writes ORDER BY place", &[])
        .await;
    assert!(rows.len() > 300);
    check(&rows);
    night.assert_equal().await;
}

/// Records each applied interval, under the lock that applied it.
const RECORDER: &str = "
    CREATE TABLE applied_writes (place bigserial PRIMARY KEY, member text, seen_from bigint, seen_to bigint,
                                 unasked boolean);
    CREATE FUNCTION record_applied_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF TG_OP = 'INSERT' OR NEW.seen_from <> OLD.seen_from THEN
            INSERT INTO applied_writes (member, seen_from, seen_to, unasked)
            VALUES (NEW.external_member_id, NEW.seen_from, NEW.seen_to, NEW.unasked);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER record_applied_write AFTER INSERT OR UPDATE ON member_sync
        FOR EACH ROW EXECUTE FUNCTION record_applied_write();";

/// No read may be put over one that had not ended when it began.
fn check(writes: &[Value]) {
    let mut last = std::collections::HashMap::new();
    for write in writes.iter().filter(|write| write["unasked"] == false) {
        let number = |key: &str| write[key].as_i64().unwrap();
        if let Some(ended) = last.insert(write["member"].clone(), number("seen_to")) {
            assert!(
                ended < number("seen_from"),
                "{write} was put over a read that ended at {ended}"
            );
        }
    }
}
