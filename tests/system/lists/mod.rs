//! Lists of what there is much of: each ends at the rows that it shows, and pages miss and repeat nothing.

mod pages;
mod plans;
mod statements;
mod states;

use harness::TestSystem;

/// Deliveries, days that they are spread over, and campuses that they belong to.
const DELIVERIES: i32 = 200_000;
const DAYS: i32 = 20;
const CAMPUSES: i32 = 20;

/// A campus, a database and a core, without gateway and worker.
async fn campus_alone() -> TestSystem {
    TestSystem::builder().gateways(0).workers(0).spawn().await
}

/// A log as of some weeks, with dead letters and runs; a third of it is of the last day and a half.
async fn with_weeks() -> TestSystem {
    let system = campus_alone().await;
    let client = system.database.client();
    let days = "SELECT make_webhook_log_partitions(current_date - $1::integer, current_date)";
    client.execute(days, &[&(DAYS + 1)]).await.unwrap();
    client
        .batch_execute(&OTHER_CAMPUSES.replace("{campuses}", &CAMPUSES.to_string()))
        .await
        .unwrap();
    let log = LOG.replace("{deliveries}", &DELIVERIES.to_string());
    client.batch_execute(&log.replace("{days}", &DAYS.to_string())).await.unwrap();
    client.batch_execute(LETTERS).await.unwrap();
    client.batch_execute(RUNS).await.unwrap();
    client.batch_execute("VACUUM ANALYZE").await.unwrap();
    system
}

/// The campuses are numbered, so that rows can be made of all of them.
const OTHER_CAMPUSES: &str = "
    INSERT INTO campuses (id, name)
        SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 'Church ' || i
        FROM generate_series(2, {campuses}) AS i;
    INSERT INTO sync_configs
        SELECT (jsonb_populate_record(one, jsonb_build_object('campus_id', c.id, 'core_church_id', c.id::text))).*
        FROM sync_configs AS one, campuses AS c WHERE c.id <> one.campus_id;
    CREATE TABLE numbered_campuses AS
        SELECT row_number() OVER (ORDER BY id) - 1 AS number, id FROM campuses";

const LOG: &str = "
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload, signature_valid,
                              received_at, status, error, attempts, processed_at)
    SELECT id, campus, 'event-' || i, type, 'member-' || i % 5000, '{}', true, at, status,
           CASE WHEN status IN ('dead', 'retrying') THEN 'The core is away.' END, 1,
           CASE WHEN status <> 'retrying'
                THEN at + CASE WHEN status = 'dead' THEN interval '75 minutes' ELSE interval '40 ms' END END
    FROM (SELECT i, at, c.id AS campus,
                 (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(i::text), 1, 3)
                  || '8' || substr(md5(i::text), 4, 15))::uuid AS id,
                 CASE WHEN i % 90000 = 70000 THEN 'member.merged' WHEN i % 50 = 1 THEN 'member.deleted'
                      ELSE 'member.updated' END AS type,
                 CASE WHEN i < 5000 AND i % 20 = 3 THEN 'retrying' WHEN i % 20 = 5 THEN 'dead'
                      WHEN i % 200 = 9 THEN 'duplicate' WHEN i % 90000 = 70000 THEN 'ignored'
                      ELSE 'processed' END AS status
          FROM (SELECT i, now() - CASE WHEN i < {deliveries} / 3 THEN interval '36 hours' * i / ({deliveries} / 3)
                                       ELSE interval '36 hours' + interval '{days} days' * i / {deliveries} END AS at
                FROM generate_series(1, {deliveries}) AS i) AS times
          JOIN numbered_campuses c ON c.number = i % (SELECT count(*) FROM numbered_campuses)) AS deliveries";

const LETTERS: &str = "
    INSERT INTO dead_letters (id, event_id, campus_id, event_type, member_id, cause, reason, attempts,
                              dead_at, received_at, envelope, status, replay_count, replayed_at)
    SELECT id, event_id, campus_id, event_type, member_id,
           (ARRAY['core_unavailable', 'core_unavailable', 'member_not_found', 'wrong_church'])[1 + n % 4],
           repeat('The core is away. ', 30), 6, processed_at, received_at, '{\"schema_version\": 1}',
           (ARRAY['open', 'open', 'open', 'replaying', 'resolved', 'discarded'])[1 + n % 6], 1, processed_at
    FROM (SELECT *, row_number() OVER (ORDER BY received_at) AS n FROM webhook_logs WHERE status = 'dead') AS dead";

const RUNS: &str = "
    INSERT INTO sync_logs (campus_id, sync_type, status, started_at, completed_at, duration_seconds)
    SELECT id, 'reconciliation', 'success', now() - n * interval '1 hour', now() - n * interval '1 hour', 1.5
    FROM numbered_campuses, generate_series(1, 500) AS n";
