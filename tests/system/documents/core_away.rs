//! `core-down.md` and `dead-letters.md`: a core that was away, and has another password when it is back.

use std::time::Duration;

use core_sim::{Fault, FaultKind};
use futures_util::future::join_all;
use harness::{TestSystem, eventually};
use serde_json::{Value, json};

use super::{shell::Shell, walk::Walk};
use crate::worker::campus_under_test::{CampusUnderTest, SOON};

const LONG: Duration = Duration::from_mins(1);
/// More than the runbook replays at first.
const EVENTS: u64 = 12;

fn away() -> Fault {
    Fault::everywhere(FaultKind::Status { status: 503, retry_after: None })
}

#[tokio::test]
async fn a_core_that_was_away_is_logged_in_to_again_and_its_letters_are_replayed() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "1s").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let mut shell = Shell::of(&system).meaning("sync@example.org", &email());
    let members: Vec<String> =
        (0..EVENTS).map(|row| system.core.member_id(campus.church_id(), row).unwrap()).collect();

    core_is_down(&campus, &shell, &members[..2]).await;
    letters_are_replayed(&campus, &mut shell, &members).await;
}

fn email() -> String {
    core_sim::Options::default().churches[0].email.clone()
}

async fn core_is_down(campus: &CampusUnderTest<'_>, shell: &Shell, members: &[String]) {
    let system = campus.system;
    let fault = system.core.add_fault(away());
    let events = join_all(members.iter().map(|id| campus.post("member.updated", id))).await;
    eventually("attempts fail", SOON, async || {
        let rows = campus.log(&events[0]).await;
        rows.iter().any(|row| row["status"] == "retrying")
    })
    .await;
    let mut walk = Walk::of("deploy/runbooks/core-down.md");
    let look = walk.next_despite_fault(shell).await;
    assert!(look[1].stdout.contains("503"), "{look:#?}");
    assert_eq!(look[2].code, Some(1), "{look:#?}");

    // An outage's end comes only now: however long the look took, events were still retrying.
    system.worker(0).terminate(Duration::from_secs(30)).await.unwrap();
    system.worker(0).set_variable("RETRY_OUTAGE_AGE", "3s");
    system.start_again("worker", 0).await;
    for event in &events {
        assert_eq!(letter(campus, event).await["cause"], "core_unavailable");
    }

    // It is back, and so is its password of last year.
    system.core.remove_fault(fault);
    let wrong = ["campus", "set", &campus.id, "--api-password-stdin"];
    system.faithctl_with_input(&wrong, b"another password").await;
    system.core.revoke_tokens();
    let refused = system.faithctl(&["campus", "test-connection", &campus.id]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");

    walk.next(shell).await;
    walk.next(shell).await;
    walk.end();
    for event in &events {
        until_resolved(campus, event, "resolved").await;
        assert_eq!(campus.end_of(event).await["status"], "processed");
    }
}

async fn letters_are_replayed(campus: &CampusUnderTest<'_>, shell: &mut Shell, members: &[String]) {
    let system = campus.system;
    let nobody = "00000000-0000-4000-8000-00000000dead".to_owned();
    let gone = campus.post("member.updated", &nobody).await;
    assert_eq!(letter(campus, &gone).await["cause"], "member_not_found");
    let fault = system.core.add_fault(away());
    let events = join_all(members.iter().map(|id| campus.post("member.updated", id))).await;
    for event in &events {
        assert_eq!(letter(campus, event).await["cause"], "core_unavailable");
    }
    let letter = letter(campus, &events[0]).await["id"].as_str().unwrap().to_owned();
    shell.set_meaning("ID", &letter);
    shell.set_meaning("EVENT_ID", &events[0]);
    let mut walk = Walk::of("deploy/runbooks/dead-letters.md");
    walk.next_despite_fault(shell).await;
    system.core.remove_fault(fault);
    walk.next(shell).await;
    for event in &events {
        until_resolved(campus, event, "resolved").await;
    }
    walk.next(shell).await;
    let given_up = walk.next(shell).await;
    assert!(given_up.last().unwrap().command.contains("discard"), "{given_up:#?}");
    walk.end();
    until_resolved(campus, &gone, "discarded").await;
    let open = "SELECT cause FROM dead_letters WHERE status = 'open'";
    assert_eq!(json!(system.database.rows(open, &[]).await), json!([]));
}

/// The dead letter of an event: while the circuit breaker is open an event is asked for less and less often.
async fn letter(campus: &CampusUnderTest<'_>, event: &str) -> Value {
    eventually("the event is a dead letter", LONG, async || {
        let query = "SELECT * FROM dead_letters WHERE event_id = $1";
        campus.system.database.rows(query, &[&event]).await.pop()
    })
    .await
}

async fn until_resolved(campus: &CampusUnderTest<'_>, event: &str, status: &str) {
    eventually("the letter is through", LONG, async || {
        let letter = letter(campus, event).await;
        if letter["status"] == status { Ok(()) } else { Err(letter.to_string()) }
    })
    .await;
}
