//! What no gateway could take is reconciled soon, without anybody doing anything.

use std::time::Duration;

use core_sim::{Options, WebhookBody};
use harness::{
    proxy::Mode,
    {TestSystem, eventually},
};
use serde_json::{Value, json};

use super::night::Night;

const SOON: Duration = Duration::from_secs(30);
/// A minute after intake is back, and the run: three minutes at most from the beginning.
const RECONCILED: Duration = Duration::from_mins(2);

async fn gap(system: &TestSystem) -> Value {
    let columns = "SELECT first_at, last_at, refused, reconciled_at FROM intake_gaps";
    system.database.rows(columns, &[]).await.pop().unwrap_or(Value::Null)
}

async fn runs(system: &TestSystem) -> Vec<Value> {
    let runs = "SELECT * FROM sync_logs WHERE sync_type = 'reconciliation' ORDER BY started_at";
    system.database.rows(runs, &[]).await
}

/// Changes so many members, each told of by a webhook that is sent once; answers the statuses.
async fn change(night: &Night, members: u64, name: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for row in 0..members {
        let member = night.id(row);
        night.change(&member, json!({ "full_name": format!("{name} {row}") }));
        let church = &night.system.campus.core_church_id;
        let body = WebhookBody::new("member.updated", church, &member);
        statuses.push(night.system.post(&night.system.campus, &body).await.status);
    }
    statuses
}

#[tokio::test]
async fn events_refused_while_the_broker_is_away_are_made_good_a_minute_after_it_is_back() {
    let core = Options { churches: Options::churches_of(1, 2, 40), ..Options::default() };
    let builder = TestSystem::builder().workers(1).reconcilers(1).core(core).proxied();
    let night = Night { system: builder.spawn().await };
    night.pass().await;
    let system = &night.system;
    let way = &system.proxies().gateway_to_rabbitmq;
    way.set(Mode::Refuse);
    eventually("the broker is away", SOON, async || change(&night, 1, "Early").await == [503])
        .await;
    assert_eq!(change(&night, 10, "Missed").await, [503; 10]);
    way.set(Mode::Forward);
    system.until_ready("gateway", 0, SOON).await;
    eventually("the gap is noted", SOON, async || {
        let gap = gap(system).await;
        if gap["refused"].as_i64() >= Some(10) { Ok(()) } else { Err(gap.to_string()) }
    })
    .await;
    eventually("the campus is reconciled", RECONCILED, async || {
        let runs = runs(system).await;
        if runs.iter().any(|run| run["status"] == "success") {
            Ok(())
        } else {
            Err(format!("{runs:?}"))
        }
    })
    .await;
    night.assert_equal().await;
    eventually("the gap is closed", SOON, async || gap(system).await["first_at"].is_null()).await;
    assert_eq!(gap(system).await["refused"], 0);

    // The next one waits a quarter of an hour, and is not forgotten.
    way.set(Mode::Refuse);
    eventually("the broker is away again", SOON, async || {
        change(&night, 1, "Later").await == [503]
    })
    .await;
    way.set(Mode::Forward);
    system.until_ready("gateway", 0, SOON).await;
    eventually("the second gap is noted", SOON, async || gap(system).await["first_at"].is_string())
        .await;
    let earlier = "UPDATE intake_gaps SET first_at = first_at - interval '2 minutes',
                       last_at = last_at - interval '2 minutes'";
    night.execute(earlier).await;
    assert_eq!(system.reconcile(&["--once", "--json"]).await.json(), json!([]));
    night.execute("UPDATE intake_gaps SET reconciled_at = now() - interval '15 minutes'").await;
    eventually("it is made good", SOON, async || runs(system).await.len() == 2).await;
    eventually("it is closed", SOON, async || gap(system).await["first_at"].is_null()).await;
    night.assert_equal().await;
}

#[tokio::test]
async fn a_gateway_that_was_killed_or_away_for_long_is_a_gap_and_one_that_is_replaced_is_none() {
    let core = Options { churches: Options::churches_of(1, 1, 5), ..Options::default() };
    let builder = TestSystem::builder().workers(0).reconcilers(1).core(core);
    let night = Night { system: builder.spawn().await };
    let system = &night.system;
    let seen = "SELECT program, ended_at IS NULL AS runs FROM instances
                WHERE state -> 'ready' = 'true' ORDER BY program";
    eventually("both tell that they run", SOON, async || {
        let rows = system.database.rows(seen, &[]).await;
        let expected =
            ["gateway", "reconciler"].map(|program| json!({"program": program, "runs": true}));
        if rows == expected { Ok(()) } else { Err(format!("{rows:?}")) }
    })
    .await;
    // The first ever, and one that ends in good order and comes back at once.
    assert_eq!(gap(system).await, Value::Null);
    system.gateway(0).terminate(SOON).await.unwrap();
    system.start_again("gateway", 0).await;
    system.until_ready("gateway", 0, SOON).await;
    let beating = "SELECT FROM instances WHERE program = 'gateway' AND ended_at IS NULL
                       AND seen_at > started_at";
    eventually("the new one tells", SOON, async || {
        !system.database.rows(beating, &[]).await.is_empty()
    })
    .await;
    assert_eq!(gap(system).await, Value::Null);

    // Killed: what it had not answered is missed, however soon it is back.
    system.gateway(0).kill();
    system.start_again("gateway", 0).await;
    eventually("its end is noticed", SOON, async || gap(system).await["first_at"].is_string())
        .await;
    assert_eq!(gap(system).await["refused"], 0);

    // In good order, and away for long.
    night.execute("DELETE FROM intake_gaps").await;
    system.until_ready("gateway", 0, SOON).await;
    system.gateway(0).terminate(SOON).await.unwrap();
    let long = "UPDATE instances SET seen_at = seen_at - interval '1 minute',
                    ended_at = ended_at - interval '1 minute' WHERE program = 'gateway'";
    night.execute(long).await;
    system.start_again("gateway", 0).await;
    eventually("the time without one is noted", SOON, async || {
        gap(system).await["first_at"].is_string()
    })
    .await;
}

/// Where a load balancer sends to ready gateways alone, none hears of what is sent while RabbitMQ is away.
#[tokio::test]
async fn a_time_in_which_no_gateway_is_ready_is_a_gap_although_none_refused_anything() {
    let core = Options { churches: Options::churches_of(1, 1, 5), ..Options::default() };
    let builder = TestSystem::builder().workers(0).core(core).proxied();
    let night = Night { system: builder.spawn().await };
    let system = &night.system;
    let other = "INSERT INTO instances (id, program, version, host, seen_at, state)
                 VALUES (gen_random_uuid(), 'gateway', '', 'other', now() + interval '1 hour',
                         '{\"ready\": true}')";
    night.execute(other).await;
    let ready = "SELECT FROM instances WHERE host <> 'other' AND state -> 'ready' = 'true'";
    eventually("it tells that it is ready", SOON, async || {
        !system.database.rows(ready, &[]).await.is_empty()
    })
    .await;
    system.proxies().gateway_to_rabbitmq.set(Mode::Refuse);
    eventually("it tells that it is not", SOON, async || {
        system.database.rows(ready, &[]).await.is_empty()
    })
    .await;

    // Another is: nothing is missed.
    let long = "SELECT FROM instances WHERE host <> 'other' AND seen_at > $1::text::timestamptz + interval '7 seconds'";
    let now = system.database.rows("SELECT now()::text AS now", &[]).await.remove(0);
    let now = now["now"].as_str().unwrap();
    eventually("it is not for long", SOON, async || {
        !system.database.rows(long, &[&now]).await.is_empty()
    })
    .await;
    assert_eq!(gap(system).await, Value::Null);

    night.execute("DELETE FROM instances WHERE host = 'other'").await;
    eventually("the time without one is noted", SOON, async || {
        gap(system).await["first_at"].is_string()
    })
    .await;
    assert_eq!(gap(system).await["refused"], 0);
}
