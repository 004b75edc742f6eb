//! One login for all workers (decision 7).

use std::time::Duration;

use core_sim::{Endpoint, Fault, FaultKind, Options};
use futures_util::future::join_all;
use harness::{TestSystem, eventually};
use serde_json::json;

use super::campus_under_test::{CampusUnderTest, SOON};

/// A token under a minute old is not replaced; this one is older.
const AGE_TOKEN: &str = "UPDATE core_tokens SET obtained_at = obtained_at - interval '2 minutes'";

/// Brings that many new members, all at once, and asserts that each took one attempt.
async fn bring_many(campus: CampusUnderTest<'_>, members: usize) {
    let members = (0..members).map(|n| campus.create(json!({"full_name": format!("Member {n}")})));
    let members: Vec<String> = members.collect();
    let events = join_all(members.iter().map(|member| campus.post("member.created", member))).await;
    for event in &events {
        let log = campus.end_of(event).await;
        assert_eq!((&log["status"], &log["attempts"]), (&json!("processed"), &json!(1)), "{log}");
    }
}

#[tokio::test]
async fn all_workers_share_one_login_and_renew_it_once() {
    let system = TestSystem::builder().workers(3).spawn().await;
    let campus = CampusUnderTest::first(&system);
    bring_many(campus, 40).await;
    assert_eq!(system.core.requests(Endpoint::Login), 1);

    // All of them hear of it at once, and only one logs in.
    campus.execute(AGE_TOKEN).await;
    system.core.revoke_tokens();
    bring_many(campus, 40).await;
    assert_eq!(system.core.requests(Endpoint::Login), 2);

    // A worker that starts takes the token that there is.
    system.worker(0).kill();
    system.start_again("worker", 0).await;
    bring_many(campus, 40).await;
    assert_eq!(system.core.requests(Endpoint::Login), 2);
}

#[tokio::test]
async fn a_token_that_is_refused_at_once_leads_to_no_storm_of_logins() {
    let system = TestSystem::builder().workers(2).variable("RETRY_DELAYS", "200ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    campus.bring(json!({"full_name": "First"})).await;
    system.core.revoke_tokens();
    let members: Vec<String> =
        (0..10).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))).collect();
    let events = join_all(members.iter().map(|member| campus.post("member.created", member))).await;
    for event in &events {
        eventually("the event has failed, or was put off", SOON, async || {
            !campus.log(event).await.is_empty()
        })
        .await;
    }
    assert_eq!(system.core.requests(Endpoint::Login), 1);
    campus.execute(AGE_TOKEN).await;
    for event in &events {
        assert_eq!(campus.end_of(event).await["status"], "processed");
    }
    assert_eq!(system.core.requests(Endpoint::Login), 2);
}

#[tokio::test]
async fn campuses_of_one_core_stay_within_its_limit_of_logins() {
    // Five campuses need five logins, and the core allows five a minute to one address: one is
    // left for people.
    let options = Options { churches: Options::churches_of(1, 5, 0), ..Options::default() };
    let churches = options.churches.clone();
    let system =
        TestSystem::builder().core(options).variable("RETRY_DELAYS", "300ms").spawn().await;
    let mut campuses = vec![system.campus.clone()];
    for church in &churches[1..] {
        campuses.push(system.add_campus(church, &[]).await);
    }
    let mut events = Vec::new();
    for campus in &campuses {
        let campus = CampusUnderTest::of(&system, campus);
        campus.until_known().await;
        let member = campus.create(json!({"full_name": "Budi"}));
        events.push((campus, campus.post("member.created", &member).await));
    }
    // Whichever came fifth waits for the budget, and goes on trying.
    let (last, event) = eventually("four are synced and one waits", SOON, async || {
        let mut waiting = Vec::new();
        for (campus, event) in &events {
            match campus.log(event).await.first() {
                Some(row) if row["status"] == "processed" => {}
                Some(row) if row["attempts"].as_i64() >= Some(2) => waiting.push((campus, event)),
                _ => return None,
            }
        }
        if waiting.len() == 1 { waiting.pop() } else { None }
    })
    .await;
    assert_eq!(system.core.requests(Endpoint::Login), 4);
    last.execute("UPDATE core_logins SET attempted_at = attempted_at - interval '1 minute'").await;
    assert_eq!(last.end_of(event).await["status"], "processed");
    assert_eq!(system.core.requests(Endpoint::Login), 5);
}

#[tokio::test]
async fn a_login_that_dies_with_its_worker_is_made_by_another() {
    let system = TestSystem::builder().workers(2).spawn().await;
    let campus = CampusUnderTest::first(&system);
    system.worker(1).terminate(Duration::from_secs(25)).await.unwrap();
    let member = campus.create(json!({"full_name": "Budi"}));
    system.core.add_fault(Fault::everywhere(FaultKind::Hang).at(Endpoint::Login).with_times(1));
    let event = campus.post("member.created", &member).await;
    eventually("it logs in", SOON, async || system.core.requests(Endpoint::Login) == 1).await;
    system.worker(0).kill();
    system.start_again("worker", 1).await;
    // Nobody else may while the lease of the dead one lasts.
    eventually("another has logged in", Duration::from_secs(40), async || {
        let log = campus.log(&event).await;
        let done = log.first().is_some_and(|row| row["status"] == "processed");
        if done { Ok(()) } else { Err(format!("{log:?}")) }
    })
    .await;
    assert_eq!(system.core.requests(Endpoint::Login), 2);
}

#[tokio::test]
async fn mending_the_password_while_a_wrong_one_is_tried_locks_nobody_out() {
    let system = TestSystem::builder().workers(2).variable("RETRY_DELAYS", "300ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let set_password = async |password: &str| {
        let set = ["campus", "set", &campus.id, "--api-password-stdin"];
        system.faithctl_with_input(&set, password.as_bytes()).await.success();
    };
    set_password("wrong").await;
    let slow = FaultKind::Latency { ms: 2000, jitter_ms: 0, stale: false };
    system.core.add_fault(Fault::everywhere(slow).at(Endpoint::Login).with_times(1));
    let members = (0..20).map(|n| campus.create(json!({"full_name": format!("Member {n}")})));
    let members: Vec<String> = members.collect();
    let events = join_all(members.iter().map(|member| campus.post("member.created", member))).await;
    eventually("a login is under way", SOON, async || system.core.requests(Endpoint::Login) == 1)
        .await;
    set_password(core_sim::DEFAULT_PASSWORD).await;
    for event in &events {
        assert_eq!(campus.end_of(event).await["status"], "processed");
    }
    assert_eq!(system.core.requests(Endpoint::Login), 2);
    let rows = system.database.rows("SELECT not_before FROM core_tokens", &[]).await;
    assert_eq!(rows, [json!({"not_before": null})]);
}

#[tokio::test]
async fn a_token_that_is_said_to_live_for_ever_is_kept_for_a_while() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    for seconds in [u64::MAX, 400_000_000_000] {
        let fault = Fault::everywhere(FaultKind::LongLived { seconds });
        let fault = system.core.add_fault(fault.at(Endpoint::Login));
        system.core.revoke_tokens();
        campus.execute(AGE_TOKEN).await;
        bring_many(campus, 48).await;
        system.core.remove_fault(fault);
    }
    assert_eq!(system.core.requests(Endpoint::Login), 2);
}
