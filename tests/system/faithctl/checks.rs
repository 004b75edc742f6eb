//! Checks do what the programs do: they fetch a member by id, send a webhook through the queue to its log row, and say
//! what they did not try.

use std::time::Duration;

use core_sim::{Endpoint, Fault, FaultKind};
use harness::{Role, TestSystem, eventually, proxy::Mode};
use serde_json::{Value, json};

use super::{assert_failed, campus_alone};
use crate::worker::campus_under_test::{CampusUnderTest, SOON};

fn status(status: u16) -> FaultKind {
    FaultKind::Status { status, retry_after: None }
}

/// Whether some finding of `doctor --json` about `subject` has that status and these words.
fn has(report: &Value, subject: &str, status: &str, words: &str) -> bool {
    report.as_array().unwrap().iter().any(|check| {
        check["check"].as_str().unwrap().contains(subject)
            && check["status"] == status
            && check["detail"].as_str().unwrap().contains(words)
    })
}

#[tokio::test]
async fn a_core_that_lists_members_and_refuses_each_by_id_is_found_out_by_every_check() {
    let system =
        TestSystem::builder().variable_of(Role::Worker, "RETRY_DELAYS", "7s,2m").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let id = system.campus.id.as_str();
    let test = async |more: &[&str]| {
        system.faithctl(&[&["campus", "test-connection", id], more].concat()).await
    };
    let well = test(&["--json"]).await.json();
    assert_eq!((&well["login"], &well["members"]), (&json!("new"), &json!(25)), "{well}");
    assert_eq!(well["outcome"], "kept by the sync filter");

    system.core.add_fault(Fault::everywhere(status(403)).at(Endpoint::Member));
    let refused = test(&[]).await;
    assert_failed(
        &refused,
        1,
        "GET /api/members/{id}: HTTP 403 (no permission, in JSON as from the core)",
    );
    assert!(refused.stderr.contains("may not view members (it may list them)"), "{refused:?}");
    let doctor = system.faithctl(&["doctor", "--login", "--json"]).await;
    let report: Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert_eq!(doctor.code, Some(1));
    assert!(has(&report, "campus", "failure", "gives none of 3 by id"), "{report}");

    // The breaker opens with the events of three members, and is worth a look at once.
    for member in 0..5 {
        let member = campus.create(json!({"full_name": format!("Member {member}")}));
        campus.post("member.created", &member).await;
    }
    let shown = eventually("the open breaker is told", SOON, async || {
        let shown = system.faithctl(&["status", "--json"]).await.json();
        let first = shown["attention"][0].clone();
        let is_told =
            first["matter"].as_str().is_some_and(|text| text.contains("circuit breaker open"));
        if is_told { Ok(shown) } else { Err(shown["attention"].to_string()) }
    })
    .await;
    let first = &shown["attention"][0];
    assert_eq!(first["stops_events"], true, "{first}");
    assert!(first["matter"].as_str().unwrap().contains("(core_forbidden)"), "{first}");
    assert!(first["advice"].as_str().unwrap().contains("test-connection"), "{first}");
    // Delay queues are the workers', whatever faithctl's own settings say.
    let names: Vec<&str> =
        shown["queues"].as_array().unwrap().iter().map(|q| q["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"member-events.retry.7s"), "{names:?}");
    assert!(!names.contains(&"member-events.retry.30s"), "{names:?}");
    let doctor = system.faithctl(&["doctor", "--json"]).await;
    let report: Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert!(has(&report, "needs attention", "failure", "circuit breaker open"), "{report}");
    assert!(has(&report, "queues", "ok", "as the programs declare them"), "{report}");

    system.core.clear_faults();
    assert!(test(&[]).await.success().contains("fetched by id, mapped and filtered: kept"));
    let missing = system.broker.queue_depth("member-events.retry.30s").await;
    assert_eq!(missing, None, "a check makes no queue");
}

#[tokio::test]
async fn a_gateway_that_cannot_queue_is_found_out_by_a_ping() {
    let system = TestSystem::builder().proxied().spawn().await;
    let gateway = system.gateway_url();
    let doctor = async || {
        let finished = system.faithctl(&["doctor", "--gateway", &gateway, "--json"]).await;
        serde_json::from_str::<Value>(&finished.stdout).unwrap()
    };
    let report = doctor().await;
    assert!(has(&report, "gateway", "ok", "a worker has logged it"), "{report}");
    let pings = "SELECT status FROM webhook_logs WHERE event_type = 'ping'";
    assert_eq!(system.database.rows(pings, &[]).await, [json!({"status": "processed"})]);
    let id = system.campus.id.as_str();
    let send = ["send-test", id, "--gateway", &gateway, "--wait", "--json"];
    let sent = system.faithctl(&send).await.json();
    assert_eq!((&sent["status"], &sent["logged"]), (&json!(200), &json!("processed")), "{sent}");

    system.proxies().gateway_to_rabbitmq.set(Mode::Refuse);
    eventually("a ping is refused", SOON, async || {
        let report = doctor().await;
        let is_found = has(&report, "gateway", "failure", "answers a signed ping of campus")
            && has(&report, "gateway", "failure", "503: {\"detail\":\"Event queue unavailable\"}");
        if is_found { Ok(()) } else { Err(report.to_string()) }
    })
    .await;
    let sent = system.faithctl(&send).await;
    assert_eq!(sent.code, Some(1), "{sent:?}");

    // Accepted, and nobody there who would log it.
    system.proxies().gateway_to_rabbitmq.set(Mode::Forward);
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    system.until_ready("gateway", 0, SOON).await;
    let wait = ["send-test", id, "--gateway", &gateway, "--wait", "1s"];
    assert_failed(&system.faithctl(&wait).await, 1, "not in the log of deliveries within 1 s");
}

#[tokio::test]
async fn a_login_that_was_not_tried_is_said_and_a_failed_one_pauses_no_longer_than_a_workers() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let test = async |more: &[&str]| {
        system.faithctl(&[&["campus", "test-connection", id], more].concat()).await
    };
    assert!(test(&[]).await.success().starts_with("logged in to 127.0.0.1:"));
    system.core.add_fault(Fault::everywhere(status(503)).at(Endpoint::Login));
    let reused = test(&[]).await.success();
    let is_said = reused.starts_with("not logged in to 127.0.0.1:");
    assert!(is_said && reused.contains("reused the token of "), "{reused}");
    let json = test(&["--json"]).await.json();
    assert_eq!(json["login"], "reused");
    assert!(json["token_age_seconds"].is_number(), "{json}");

    let age = "UPDATE core_tokens SET obtained_at = obtained_at - interval '2 minutes'";
    system.database.client().batch_execute(age).await.unwrap();
    assert_failed(&test(&[]).await, 1, "POST /api/auth/login: HTTP 503 (server error");
    let pause = "SELECT pause_cause, not_before < now() + interval '16 seconds' AS is_short FROM core_tokens";
    assert_eq!(
        system.database.rows(pause, &[]).await,
        [json!({"pause_cause": "away", "is_short": true})]
    );
}

#[tokio::test]
async fn a_campus_without_a_success_is_a_finding_and_dead_events_are_not_processed() {
    let system = campus_alone().await;
    let fail = "
        INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload, signature_valid,
                                  received_at, status, error, attempts, processed_at)
        SELECT gen_random_uuid(), campus_id, 'event-' || i, 'member.updated', 'member-' || i, '{}', true,
               now() - interval '2 minutes', CASE WHEN i < 4 THEN 'dead' ELSE 'retrying' END,
               'GET /api/members/{id}: HTTP 404 (not found).', 3, CASE WHEN i < 4 THEN now() END
        FROM sync_configs, generate_series(1, 5) i";
    system.database.client().batch_execute(fail).await.unwrap();
    let shown = system.faithctl(&["status", "--json"]).await.json();
    let matters = shown["attention"].to_string();
    assert!(
        matters.contains(
            "none of 5 events of the last 30 minutes succeeded: GET /api/members/{id}: HTTP 404"
        ),
        "{matters}"
    );
    let flow = &shown["flow"];
    assert_eq!(
        (&flow["processed_per_minute"], &flow["dead_per_minute"]),
        (&json!(0.0), &json!(0.6))
    );
    assert_eq!(flow["latency_median_seconds"], Value::Null, "{flow}");
    // What still waits is part of the lag.
    assert!(flow["lag_seconds"].as_f64().unwrap() >= 120.0, "{flow}");
    let doctor = system.faithctl(&["doctor", "--json"]).await;
    let report: Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert!(has(&report, "needs attention", "failure", "none of 5 events"), "{report}");

    let succeed = "
        UPDATE webhook_logs SET status = 'processed', processed_at = received_at + interval '1 second'
        WHERE event_id = 'event-5';
        UPDATE webhook_logs SET status = 'processed', processed_at = now() WHERE event_id = 'event-1';
        INSERT INTO dead_letters (id, event_id, campus_id, cause, reason, attempts, dead_at, envelope, status,
                                  replay_count, replayed_at, resolved_at)
        SELECT id, event_id, campus_id, 'member_not_found', 'x', 3, received_at, '{}', 'resolved', 1, now(), now()
        FROM webhook_logs WHERE event_id = 'event-1'";
    system.database.client().batch_execute(succeed).await.unwrap();
    let shown = system.faithctl(&["status", "--json"]).await.json();
    assert!(!shown["attention"].to_string().contains("succeeded"), "{shown}");
    // The replayed one does not count: it waited for an operator.
    assert_eq!(shown["flow"]["latency_max_seconds"], 1.0, "{shown}");
}

/// Three days old, of a campus that is paused; one of them is a replay.
const PAUSED_FOR_DAYS: &str = "
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload, signature_valid, received_at,
                              status, error)
    SELECT gen_random_uuid(), campus_id, 'event-' || i, 'member.updated', 'member-' || i, '{}', true,
           now() - make_interval(days => 3, mins => -i), 'retrying', 'Its campus is paused.'
    FROM sync_configs, generate_series(1, 5) i;
    INSERT INTO dead_letters (id, event_id, cause, reason, attempts, envelope, status, replay_count, replayed_at)
    SELECT id, event_id, 'poison', 'x', 3, '{}', 'replaying', 1, now() FROM webhook_logs WHERE event_id = 'event-1';
    UPDATE sync_configs SET paused_at = now() - interval '3 days'";

#[tokio::test]
async fn what_waits_for_days_is_counted_and_is_part_of_the_lag() {
    let system = campus_alone().await;
    system.database.client().batch_execute(PAUSED_FOR_DAYS).await.unwrap();
    let shown = system.faithctl(&["status", "--json"]).await.json();
    let (flow, campus) = (&shown["flow"], &shown["campuses"][0]);
    assert_eq!((&flow["retrying"], &campus["retrying"]), (&json!(4), &json!(4)), "{shown}");
    let lag = flow["lag_seconds"].as_f64().unwrap();
    let days_without_minutes = f64::from(3 * 24 * 3600 - 2 * 60);
    assert!((days_without_minutes..days_without_minutes + 50.0).contains(&lag), "{flow}");
    assert_eq!(flow["oldest_retrying_at"], campus["oldest_retrying_at"], "{shown}");
    assert_eq!(campus["last_error"], "Its campus is paused.", "{campus}");
    let matters = shown["attention"].to_string();
    assert!(matters.contains("paused for 3d, 4 events wait"), "{matters}");
    let screen = system.faithctl(&["status"]).await.success();
    assert!(screen.contains("4 still retrying, the oldest for 2d"), "{screen}");
}

#[tokio::test]
async fn a_filter_is_compared_with_a_token_that_is_there_and_nobody_logs_in_for_it() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let rules = json!([{"field": "gendr", "operator": "equals", "value": "Female"}]).to_string();
    let set = ["campus", "set-filter", id, "--mode", "include", "--rules", "-", "--force"];
    system.faithctl_with_input(&set, rules.as_bytes()).await.success();
    let doctor = async |more: &[&str]| {
        let finished = system.faithctl(&[&["doctor", "--json"], more].concat()).await;
        let report: Value = serde_json::from_str(&finished.stdout).unwrap();
        (report, system.core.requests(Endpoint::Login))
    };
    let logins = system.core.requests(Endpoint::Login);
    assert_eq!(logins, 0, "nobody has logged in yet");

    let (report, logins) = doctor(&[]).await;
    assert!(has(&report, "campus", "ok", "no login was tried"), "{report}");
    assert!(has(&report, "campus", "ok", "no valid token is stored (--login asks)"), "{report}");
    assert_eq!((logins, system.core.requests(Endpoint::Member)), (0, 0), "{report}");

    let by_id = "lacks what the sync filter asks for: gendr";
    for (more, said) in [(&["--login"][..], by_id), (&[], "did you mean gender?")] {
        let (report, logins) = doctor(more).await;
        assert!(has(&report, "campus", "failure", said), "{report}");
        assert_eq!(logins, 1, "{more:?}: one for itself, and none where there is a token");
    }
    // Long past the time for its renewal, and then refused by the core.
    let old = "UPDATE core_tokens SET obtained_at = obtained_at - interval '20 hours',
                                      expires_at = now() + interval '1 minute'";
    system.database.client().batch_execute(old).await.unwrap();
    let (report, logins) = doctor(&[]).await;
    assert!(has(&report, "campus", "failure", "did you mean gender?"), "{report}");
    assert_eq!(logins, 1, "it is not renewed either");
    system.core.add_fault(Fault::everywhere(status(401)).at(Endpoint::List));
    let (report, logins) = doctor(&[]).await;
    let said = "the core does not accept the stored token (--login asks)";
    assert!(has(&report, "campus", "ok", said), "{report}");
    assert_eq!(logins, 1);
}
