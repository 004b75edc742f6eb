//! Days of the log, and birthdays.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use core_sim::WebhookBody;
use harness::{TestSystem, eventually};
use member::{CoreMember, Locale, Profile};
use serde_json::{Value, json};
use support::program::run_to_end;

async fn campus_alone() -> TestSystem {
    TestSystem::builder().gateways(0).workers(0).spawn().await
}

async fn execute(system: &TestSystem, statements: &str) {
    system.database.client().batch_execute(statements).await.unwrap();
}

async fn days(system: &TestSystem) -> BTreeSet<String> {
    let query = "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid
                 WHERE inhparent = 'webhook_logs'::regclass";
    let rows = system.database.rows(query, &[]).await;
    rows.iter().map(|row| row["relname"].as_str().unwrap().to_owned()).collect()
}

fn day(date: NaiveDate) -> String {
    format!("webhook_logs_{}", date.format("%Y%m%d"))
}

/// One day of the log that is too old, and none for the day after `today`.
async fn with_days_to_tidy(system: &TestSystem, today: NaiveDate) -> (NaiveDate, NaiveDate) {
    let (old, next) = (today - Days::new(200), today + Days::new(1));
    let make = format!("SELECT make_webhook_log_partitions('{old}', '{old}')");
    execute(system, &format!("{make}; DROP TABLE {}", day(next))).await;
    (old, next)
}

#[tokio::test]
async fn days_are_made_ahead_and_dropped_after_retention() {
    let system = campus_alone().await;
    let today = Utc::now().date_naive();
    let (old, next) = with_days_to_tidy(&system, today).await;
    // A row of the missing day went into the default partition meanwhile.
    execute(
        &system,
        "INSERT INTO webhook_logs (id, campus_id, event_id, event_type, payload, signature_valid, received_at, status)
         SELECT gen_random_uuid(), campus_id, 'e', 'test', '{}', true, now() + interval '1 day', 'processed'
         FROM sync_configs",
    )
    .await;
    system.reconcile(&["--once"]).await.success();
    let days = days(&system).await;
    assert!(!days.contains(&day(old)), "{days:?}");
    assert!((0..=7).all(|ahead| days.contains(&day(today + Days::new(ahead)))), "{days:?}");
    let moved = format!("SELECT count(*) FROM {}", day(next));
    assert_eq!(system.database.rows(&moved, &[]).await, [json!({"count": 1})]);
}

#[tokio::test]
async fn whoever_reads_the_log_for_long_makes_days_wait_and_nobody_else() {
    let system = TestSystem::builder().workers(1).spawn().await;
    let (old, next) = with_days_to_tidy(&system, Utc::now().date_naive()).await;
    // As `pg_dump` does.
    let mut reader = system.database.connect().await;
    let reading = reader.transaction().await.unwrap();
    reading.batch_execute("LOCK TABLE webhook_logs IN ACCESS SHARE MODE").await.unwrap();
    let finished = system.reconcile(&["--once"]).await;
    assert!(finished.stderr.contains("wait to be made or dropped"), "{finished:?}");
    finished.success();
    let waiting = days(&system).await;
    assert!(waiting.contains(&day(old)) && !waiting.contains(&day(next)), "{waiting:?}");
    // Events pass, their rows too.
    let church = &system.campus.core_church_id;
    let member = system.core.member_id(church, 0).unwrap();
    let event =
        system.post(&system.campus, &WebhookBody::new("member.updated", church, &member)).await;
    eventually("the event is processed", Duration::from_secs(10), async || {
        let row = "SELECT FROM webhook_logs WHERE event_id = $1 AND status = 'processed'";
        !system.database.rows(row, &[&event.event_id()]).await.is_empty()
    })
    .await;
    drop(reading);
    drop(reader);
    system.reconcile(&["--once"]).await.success();
    let kept = days(&system).await;
    assert!(!kept.contains(&day(old)) && kept.contains(&day(next)), "{kept:?}");
}

/// A second campus; between noon and noon, UTC, the first one's date is the later one.
const CAMPUSES: &str = "
    UPDATE campuses SET timezone = 'Pacific/Kiritimati';
    INSERT INTO campuses (id, name, timezone)
        VALUES ('22222222-2222-4222-8222-222222222222', 'West', 'Etc/GMT+12');
    INSERT INTO sync_configs (campus_id, core_church_id, api_base_url, api_email, api_password_sealed,
                              webhook_secret_sealed)
        SELECT '22222222-2222-4222-8222-222222222222', 'west', api_base_url, api_email,
               api_password_sealed, webhook_secret_sealed
        FROM sync_configs";

/// Members born on every day of four years, leap day included, one who is not born yet, all with
/// an age that is nobody's.
const MEMBERS: &str = "
    INSERT INTO members (campus_id, external_member_id, birth_date, age, is_archived)
    SELECT campus_id, born::date::text, born::date, 200, extract(day FROM born) = 1
    FROM sync_configs, generate_series('1996-01-01'::date, '1999-12-31', '1 day') AS born
    UNION ALL
    SELECT campus_id, 'unborn', '2500-01-01', 200, false FROM sync_configs";

/// What `shared/member` makes of the birth dates, at a moment, so many hours ahead of UTC.
fn expected(hours: i64, now: DateTime<Utc>, births: &[NaiveDate]) -> Vec<Option<i32>> {
    let today = (now + TimeDelta::hours(hours)).date_naive();
    let locale = Locale { country: "ID".parse().unwrap(), today };
    let age = |born: &NaiveDate| {
        let member: CoreMember =
            serde_json::from_value(json!({"date_of_birth": born.to_string()})).unwrap();
        Profile::of(&member, &locale).age.into_value()
    };
    births.iter().map(age).collect()
}

#[tokio::test]
async fn ages_follow_each_campuss_own_date() {
    let system = campus_alone().await;
    execute(&system, CAMPUSES).await;
    execute(&system, MEMBERS).await;
    let before = Utc::now();
    system.reconcile(&["--once"]).await.success();
    let after = Utc::now();
    let query = "SELECT m.birth_date, m.age FROM members m JOIN campuses c ON c.id = m.campus_id
                 WHERE c.timezone = $1 ORDER BY m.birth_date";
    for (time_zone, hours) in [("Pacific/Kiritimati", 14), ("Etc/GMT+12", -12)] {
        let rows = system.database.client().query(query, &[&time_zone]).await.unwrap();
        let births: Vec<NaiveDate> = rows.iter().map(|row| row.get(0)).collect();
        let ages: Vec<Option<i32>> = rows.iter().map(|row| row.get(1)).collect();
        assert_eq!(ages.len(), 4 * 365 + 1 + 1);
        // Somewhere it may have become midnight meanwhile.
        let right = [before, after].iter().any(|now| ages == expected(hours, *now, &births));
        assert!(right, "{time_zone}: {ages:?}");
    }
}

#[tokio::test]
async fn only_ages_of_synced_members_are_touched_and_only_where_they_differ() {
    let system = campus_alone().await;
    execute(
        &system,
        "INSERT INTO members (campus_id, external_member_id, name, birth_date, age, engagement_status, notes,
                              updated_at)
         SELECT campus_id, id, id, born, age, 'at_risk', 'ours', '2020-01-01'
         FROM sync_configs, (VALUES ('wrong', '2000-01-01'::date, 3), (NULL, '2000-01-01', 3),
                                    ('unknown', NULL, 3), ('unborn', '2500-01-01', NULL)) AS m(id, born, age)",
    )
    .await;
    let query = "SELECT *, xmin::text AS written FROM members ORDER BY external_member_id";
    let before = system.database.rows(query, &[]).await;
    system.reconcile(&["--once"]).await.success();
    let mut after = system.database.rows(query, &[]).await;
    let wrong = after.iter().position(|row| row["external_member_id"] == "wrong").unwrap();
    let updated = &mut after[wrong];
    assert!(
        updated["age"].as_i64() > Some(20) && updated["updated_at"] != before[wrong]["updated_at"]
    );
    for key in ["age", "updated_at", "written"] {
        updated[key] = before[wrong][key].clone();
    }
    assert_eq!(after, before);
    // Who is disabled is left alone altogether.
    system.faithctl(&["campus", "disable", &system.campus.id]).await.success();
    execute(&system, "UPDATE members SET age = 3").await;
    let before = system.database.rows(query, &[]).await;
    system.reconcile(&["--once"]).await.success();
    assert_eq!(system.database.rows(query, &[]).await, before);
}

#[tokio::test]
async fn a_member_that_somebody_writes_is_left_for_the_next_time() {
    let system = campus_alone().await;
    execute(
        &system,
        "INSERT INTO members (campus_id, external_member_id, birth_date, age)
         SELECT campus_id, id, '2000-01-01', 3 FROM sync_configs, (VALUES ('free'), ('held')) AS m(id)",
    )
    .await;
    let mut holder = system.database.connect().await;
    let held = holder.transaction().await.unwrap();
    held.execute("SELECT FROM members WHERE external_member_id = 'held' FOR UPDATE", &[])
        .await
        .unwrap();
    system.reconcile(&["--once"]).await.success();
    let ages = "SELECT external_member_id, age > 20 AS right FROM members ORDER BY 1";
    let right = |row: &Value| row["right"] == true;
    let rows = system.database.rows(ages, &[]).await;
    assert_eq!(rows.iter().map(right).collect::<Vec<_>>(), [true, false], "{rows:?}");
    drop(held);
    drop(holder);
    system.reconcile(&["--once"]).await.success();
    assert!(system.database.rows(ages, &[]).await.iter().all(right));
}

#[tokio::test]
async fn a_time_zone_that_does_not_exist_costs_only_its_own_campus_the_date() {
    let system = campus_alone().await;
    execute(&system, CAMPUSES).await;
    execute(&system, MEMBERS).await;
    execute(&system, "UPDATE campuses SET timezone = 'Mars/Olympus' WHERE name = 'West'").await;
    let finished = system.reconcile(&["--once"]).await;
    assert!(finished.stderr.contains("no IANA time zone has this name"), "{finished:?}");
    finished.success();
    let left = "SELECT count(*) FROM members m JOIN campuses c ON c.id = m.campus_id
                WHERE age = 200 AND c.name <> 'West'";
    assert_eq!(system.database.rows(left, &[]).await, [json!({"count": 0})]);
}

#[tokio::test]
async fn the_daemon_keeps_house_is_ready_and_drains() {
    let system = TestSystem::builder().gateways(0).workers(0).reconcilers(1).spawn().await;
    let admin = system.admin_url("reconciler", 0);
    let metrics = reqwest::get(format!("{admin}/metrics")).await.unwrap().text().await.unwrap();
    let families = metrics.lines().filter(|line| line.starts_with("# TYPE reconciler_")).count();
    assert!(families >= 10, "{metrics}");
    assert!(
        metrics.contains(r#"reconciler_housekeeping_passes_total{result="done","#),
        "{metrics}"
    );
    let status = system.reconciler(0).terminate(Duration::from_secs(25)).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_database_that_is_away_makes_it_not_ready_and_its_return_ready() {
    let system =
        TestSystem::builder().gateways(0).workers(0).reconcilers(1).own_servers().spawn().await;
    let ready = format!("{}/readyz", system.admin_url("reconciler", 0));
    let status = async || reqwest::get(&ready).await.map_or(0, |answer| answer.status().as_u16());
    assert_eq!(status().await, 200);
    system.servers().postgres.kill();
    system.servers().postgres.ended().await;
    eventually("it is not ready", Duration::from_secs(20), async || status().await == 503).await;
    system.servers().postgres.start_again().await.unwrap();
    eventually("it is ready again", Duration::from_secs(10), async || status().await == 200).await;
}

#[tokio::test]
async fn commands_end_with_their_exit_codes() {
    let run = async |arguments: &[&str], changes: &[(&str, &str)]| {
        let system = [
            ("DATABASE_URL", "postgres://x@127.0.0.1:9/x"),
            ("SECRETS_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ];
        let variables = system.iter().chain(changes);
        let variables =
            variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        run_to_end("reconciler", arguments, b"", variables).await.unwrap().code
    };
    assert_eq!(run(&["--once"], &[]).await, Some(1), "Postgres is away");
    assert_eq!(run(&["--help"], &[]).await, Some(0));
    for wrong in [&["--dry-run"][..], &["--once", "--nope"], &["now"]] {
        assert_eq!(run(wrong, &[]).await, Some(2), "{wrong:?}");
    }
    for wrong in [("SECRETS_KEY", ""), ("LOG_RETENTION", "soon"), ("DATABASE_URL", "")] {
        assert_eq!(run(&["--once"], &[wrong]).await, Some(2), "{wrong:?}");
        assert_eq!(run(&[], &[wrong]).await, Some(2), "{wrong:?}");
    }
}
