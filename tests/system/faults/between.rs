//! Programs that are killed between two steps that must not come apart. What would tell of the first
//! is lost on its way, and then the program is killed: for everybody else it died in between.

use std::time::Duration;

use chrono::TimeDelta;
use core_sim::{Endpoint, Fault, FaultKind, sign};
use futures_util::future::join;
use harness::{
    proxy::{End, Mode, Proxy, Scope},
    {SIGNATURE_HEADER, TestSystem, WEBHOOK_PATH, eventually},
};
use queue::{DEAD, RetryQueue, WORK};
use serde_json::{Value, json};
use support::program::Program;

use crate::worker::{
    campus_under_test::{CampusUnderTest, SOON},
    load::Load,
    lookups::until_settled,
    queue::{assert_queues_are_empty, publish},
};

const DRAIN: Duration = Duration::from_secs(25);
const DELAY: Duration = Duration::from_secs(3);

/// The acks of the events that a worker takes.
fn acks() -> Scope {
    Scope::sent_by(End::Client).named("worker")
}

/// The confirms of what a worker sends on.
fn confirms() -> Scope {
    Scope::sent_by(End::Server).named("worker publisher")
}

/// Kills a program, and lets its servers know no sooner.
async fn kill(program: &Program, way: &Proxy) {
    program.kill();
    program.wait().await;
    way.set(Mode::Forward);
}

async fn until_waiting(system: &TestSystem, queue: &str, messages: usize) {
    eventually(&format!("{messages} wait in {queue}"), SOON, async || {
        let found = system.queue_depth(queue).await;
        // A new queue refuses now and then what it takes: the gateway publishes that again.
        if found >= u32::try_from(messages).ok() { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

/// Drains a worker, so that nothing is held any more that does not show in a queue.
async fn end(system: &TestSystem) {
    let ended = system.worker(0).terminate(DRAIN).await.unwrap();
    assert_eq!(ended.code(), Some(0));
    assert_queues_are_empty(system).await;
    assert_eq!(system.queue_depth(&RetryQueue(DELAY).name()).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn what_a_worker_committed_and_never_acked_is_done_once() {
    // Fewer than a worker may hold: it gets no more than that.
    const CHANGES: usize = 200;
    let system = TestSystem::builder().proxied().spawn().await;
    let load = Load::on(CampusUnderTest::first(&system), 40);
    let (client, way) = (system.database.client(), &system.proxies().worker_to_rabbitmq);
    way.set_for(acks(), Mode::BlackHole);
    let events = load.run(CHANGES).await;
    eventually("every event is committed", SOON, async || Load::has_arrived(client, &events).await)
        .await;
    let log = "SELECT * FROM webhook_logs ORDER BY received_at, id";
    let (before, reads) =
        (system.database.rows(log, &[]).await, system.core.requests(Endpoint::Member));
    kill(system.worker(0), way).await;

    until_waiting(&system, WORK, CHANGES).await;
    system.start_again("worker", 0).await;
    until_settled(&system, CHANGES).await;
    end(&system).await;
    assert_eq!(system.database.rows(log, &[]).await, before);
    assert_eq!(system.core.requests(Endpoint::Member), reads, "what is done is not read again");
    load.assert_done(client, &events).await;
}

/// Makes each COMMIT of a new member last for seconds.
const SLOW_COMMITS: &str = "
    CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_sleep(3); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON members DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION dawdle()";

#[tokio::test]
async fn a_commit_whose_end_nobody_saw_is_written_once() {
    for is_committed in [true, false] {
        let system = TestSystem::builder().proxied().spawn().await;
        let campus = CampusUnderTest::first(&system);
        let member = campus.create(json!({"full_name": "Budi"}));
        campus.execute(SLOW_COMMITS).await;
        let event = campus.post("member.created", &member).await;
        // Not that of a login or of a heartbeat: the one that dawdles.
        let committing = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()
             AND state = 'active' AND query = 'COMMIT' AND wait_event = 'PgSleep'";
        let client = system.database.client();
        let pid: i32 = eventually("it is being committed", SOON, async || {
            client.query(committing, &[]).await.unwrap().first().map(|row| row.get(0))
        })
        .await;
        let way = &system.proxies().worker_to_postgres;
        if is_committed {
            way.set_for(Scope::sent_by(End::Server), Mode::BlackHole);
            eventually("it is committed", SOON, async || campus.row(&member).await).await;
        } else {
            client.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
        }
        campus.execute("DROP TRIGGER dawdle ON members").await;
        way.set(Mode::Forward);

        let log = campus.end_of(&event).await;
        assert_eq!(
            (&log["message"], &log["attempts"]),
            (&json!("Member created: Budi"), &json!(1)),
            "committed: {is_committed}"
        );
        assert_eq!(campus.member(&member).await["name"], "Budi");
        until_settled(&system, 1).await;
        let reads = if is_committed { 1 } else { 2 };
        assert_eq!(system.core.member_requests(&member), reads, "committed: {is_committed}");
        end(&system).await;
    }
}

#[tokio::test]
async fn an_event_whose_worker_died_between_its_delay_and_its_ack_is_done_once() {
    for lost in [acks(), confirms()] {
        let system = TestSystem::builder().proxied().variable("RETRY_DELAYS", "3s").spawn().await;
        let campus = CampusUnderTest::first(&system);
        let member = campus.create(json!({"full_name": "Budi"}));
        let unknown = FaultKind::Status { status: 404, retry_after: None };
        system.core.add_fault(Fault::everywhere(unknown).at(Endpoint::Member));
        let way = &system.proxies().worker_to_rabbitmq;
        way.set_for(lost, Mode::BlackHole);
        let event = campus.post("member.created", &member).await;
        until_waiting(&system, &RetryQueue(DELAY).name(), 1).await;
        kill(system.worker(0), way).await;

        // What was never acked, and what comes back from the delay.
        until_waiting(&system, WORK, 2).await;
        system.core.clear_faults();
        system.start_again("worker", 0).await;
        assert_eq!(campus.end_of(&event).await["message"], "Member created: Budi");
        until_waiting(&system, WORK, 0).await;
        end(&system).await;
        assert_eq!(campus.log(&event).await.len(), 1);
        assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
    }
}

#[tokio::test]
async fn an_event_whose_worker_died_between_its_dead_letter_and_its_ack_is_one_letter() {
    for (lost, mended_first) in [(acks(), true), (acks(), false), (confirms(), false)] {
        let system = TestSystem::builder().proxied().spawn().await;
        let campus = CampusUnderTest::first(&system);
        let member = campus.create(json!({"full_name": "Budi"}));
        let way = &system.proxies().worker_to_rabbitmq;
        let switch = async |verb| {
            system.faithctl(&["campus", verb, &system.campus.id]).await.success();
        };
        switch("disable").await;
        way.set_for(lost, Mode::BlackHole);
        let envelope = campus.envelope("member.created", &member, TimeDelta::zero());
        publish(&system, &envelope).await;
        let first = campus.dead_letter(&envelope.event_id).await;
        assert_eq!((&first["cause"], &first["status"]), (&json!("sync_disabled"), &json!("open")));
        kill(system.worker(0), way).await;

        until_waiting(&system, WORK, 1).await;
        if mended_first {
            switch("enable").await;
            system.start_again("worker", 0).await;
        } else {
            system.start_again("worker", 0).await;
            let again = until_letter(campus, &envelope.event_id, |letter| {
                letter["dead_at"] != first["dead_at"]
            })
            .await;
            assert_eq!(
                (&again["status"], &again["attempts"], &again["replay_count"]),
                (&json!("open"), &first["attempts"], &json!(0)),
            );
            switch("enable").await;
            system.faithctl(&["dead-letters", "replay", "--yes"]).await.success();
        }
        until_letter(campus, &envelope.event_id, |letter| letter["status"] == "resolved").await;
        assert_eq!(campus.end_of(&envelope.event_id).await["message"], "Member created: Budi");
        end(&system).await;
    }
}

async fn until_letter(
    campus: CampusUnderTest<'_>,
    event: &str,
    is: impl Fn(&Value) -> bool,
) -> Value {
    eventually("the letter is as expected", SOON, async || {
        let letter = campus.dead_letter(event).await;
        if is(&letter) { Ok(letter) } else { Err(letter.to_string()) }
    })
    .await
}

#[tokio::test]
async fn letters_whose_collector_died_between_its_commit_and_its_ack_stay_as_they_are() {
    let system = TestSystem::builder().proxied().spawn().await;
    let campus = CampusUnderTest::first(&system);
    let members = ["one", "other"].map(|name| campus.create(json!({"full_name": name})));
    let way = &system.proxies().worker_to_rabbitmq;
    system.faithctl(&["campus", "disable", &system.campus.id]).await.success();
    way.set_for(Scope::sent_by(End::Client).named("worker collector"), Mode::BlackHole);
    let mut letters = Vec::new();
    for member in &members {
        let envelope = campus.envelope("member.created", member, TimeDelta::zero());
        publish(&system, &envelope).await;
        letters.push(campus.dead_letter(&envelope.event_id).await);
    }
    system.faithctl(&["campus", "enable", &system.campus.id]).await.success();
    let text = |letter: &Value, key: &str| letter[key].as_str().unwrap().to_owned();
    let events = [text(&letters[0], "event_id"), text(&letters[1], "event_id")];
    // One is replayed and done while its message still waits to be collected again.
    let replay = async |letter: &Value| {
        let command = ["dead-letters", "replay", "--yes", "--id", &text(letter, "id")];
        system.faithctl(&command).await.success();
        until_letter(campus, &text(letter, "event_id"), |letter| letter["status"] == "resolved")
            .await
    };
    let resolved = replay(&letters[0]).await;
    kill(system.worker(0), way).await;

    until_waiting(&system, DEAD, 2).await;
    system.start_again("worker", 0).await;
    let again =
        until_letter(campus, &events[1], |letter| letter["dead_at"] != letters[1]["dead_at"]).await;
    assert_eq!((&again["status"], &again["replay_count"]), (&json!("open"), &json!(0)));
    until_waiting(&system, DEAD, 0).await;
    assert_eq!(campus.dead_letter(&events[0]).await, resolved, "done stays done");
    replay(&letters[1]).await;
    end(&system).await;
    for event in &events {
        assert_eq!(campus.end_of(event).await["status"], "processed");
    }
}

#[tokio::test]
async fn an_event_whose_gateway_died_before_its_sender_knew_is_done_once() {
    for confirmed in [true, false] {
        let system = TestSystem::builder().proxied().spawn().await;
        let campus = CampusUnderTest::first(&system);
        let member = campus.create(json!({"full_name": "Budi"}));
        let gateway = system.gateway_url().trim_start_matches("http://").parse().unwrap();
        let door = Proxy::to(gateway).await.unwrap();
        // The answer is lost on its way; or already the confirm that it waits for.
        let way = if confirmed { &door } else { &system.proxies().gateway_to_rabbitmq };
        way.set_for(Scope::sent_by(End::Server), Mode::BlackHole);
        let body = campus.body("member.created", &member).with("event_id", "told-to-nobody");
        let posted = async {
            let (url, bytes) =
                (format!("http://{}{WEBHOOK_PATH}", door.address()), body.to_bytes());
            let signature = sign(&system.campus.secret, &bytes);
            let headers = [(SIGNATURE_HEADER, signature.as_bytes())];
            system.try_post_to(&url, &headers, &bytes).await
        };
        let killed = async {
            if confirmed {
                eventually("the answer is lost", SOON, async || way.swallowed() > 0).await;
            } else {
                campus.end_of("told-to-nobody").await;
            }
            kill(system.gateway(0), way).await;
        };
        let (answer, ()) = join(posted, killed).await;
        assert!(!answer.is_ok_and(|answer| answer.status == 202), "the sender must not know");
        campus.end_of("told-to-nobody").await;

        system.start_again("gateway", 0).await;
        campus.deliver(&body).await;
        let log = campus.ends_of("told-to-nobody", 2).await;
        assert_eq!(
            (&log[0]["status"], &log[1]["status"]),
            (&json!("processed"), &json!("duplicate"))
        );
        assert_eq!(system.core.member_requests(&member), 1);
        assert_eq!(campus.member(&member).await["name"], "Budi");
        end(&system).await;
    }
}
