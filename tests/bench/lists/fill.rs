//! The rows, made in Postgres. Indices are made behind them, which takes a third of the time.

use futures_util::future::{join, join_all};
use harness::TestSystem;
use tokio_postgres::Client;

const DAYS: i32 = 90;
/// As many sessions as the machine has cores.
const SESSIONS: usize = 2;

/// What a session that loads rows need not wait for.
const LOADING: &str = "SET synchronous_commit = off; SET maintenance_work_mem = '512MB'";

/// Indices that the lists are read by, and those that were there instead.
const OF_LISTS: &str = "
    DROP INDEX webhook_logs_campus, webhook_logs_status, webhook_logs_type, webhook_logs_late, dead_letters_status,
        dead_letters_open_cause, dead_letters_member, dead_letters_cause, sync_logs_started;
    CREATE INDEX ON dead_letters (status, dead_at);
    CREATE INDEX ON dead_letters (campus_id, member_id);
    ANALYZE dead_letters";

/// Takes the indices of lists away.
pub(super) async fn forget_indices(system: &TestSystem) {
    system.database.client().batch_execute(OF_LISTS).await.unwrap();
}

pub(super) async fn fill(system: &TestSystem, deliveries: i64, campuses: i32) {
    let client = system.database.client();
    client.batch_execute(LOADING).await.unwrap();
    client.batch_execute(&CAMPUSES.replace("{campuses}", &campuses.to_string())).await.unwrap();
    let days = "SELECT make_webhook_log_partitions(current_date - $1::integer, current_date)";
    client.execute(days, &[&(DAYS + 1)]).await.unwrap();
    let indices = drop_indices(client).await;
    let parts = SESSIONS.try_into().unwrap();
    let part = |number: i64| async move {
        let session = system.database.connect().await;
        session.batch_execute(LOADING).await.unwrap();
        session.execute(LOG, &[&deliveries, &parts, &number]).await.unwrap();
    };
    join_all((0..parts).map(part)).await;
    println!("{deliveries} deliveries");
    make_indices(system, &indices).await;
    client.batch_execute("ANALYZE webhook_logs").await.unwrap();
    client.batch_execute(LETTERS).await.unwrap();
    client.batch_execute(RUNS).await.unwrap();
    client.batch_execute("VACUUM ANALYZE").await.unwrap();
}

/// Drops the indices of the log, and answers how they are made.
async fn drop_indices(client: &Client) -> Vec<String> {
    let rows = client
        .query(
            "SELECT indexrelid::regclass::text, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
             FROM pg_index WHERE indrelid = 'webhook_logs'::regclass AND NOT indisprimary ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    for row in &rows {
        client.batch_execute(&format!("DROP INDEX {}", row.get::<_, String>(0))).await.unwrap();
    }
    client
        .batch_execute("ALTER TABLE webhook_logs DROP CONSTRAINT webhook_logs_pkey")
        .await
        .unwrap();
    rows.iter().map(|row| row.get(1)).collect()
}

async fn make_indices(system: &TestSystem, indices: &[String]) {
    let key = "ALTER TABLE webhook_logs ADD PRIMARY KEY (received_at, id)";
    system.database.client().batch_execute(key).await.unwrap();
    let make = |indices: Vec<String>| async move {
        let session = system.database.connect().await;
        session.batch_execute(LOADING).await.unwrap();
        for index in indices {
            session.batch_execute(&index).await.unwrap();
        }
    };
    let (some, others) = indices.split_at(indices.len() / 2);
    join(make(some.to_vec()), make(others.to_vec())).await;
}

/// The campuses are numbered, so that rows can be made of all of them.
const CAMPUSES: &str = "
    INSERT INTO campuses (id, name) SELECT gen_random_uuid(), 'Church ' || i FROM generate_series(2, {campuses}) AS i;
    INSERT INTO sync_configs
        SELECT (jsonb_populate_record(one, jsonb_build_object('campus_id', c.id, 'core_church_id', c.id::text))).*
        FROM sync_configs AS one, campuses AS c WHERE c.id <> one.campus_id;
    CREATE TABLE numbered_campuses AS
        SELECT row_number() OVER (ORDER BY id) - 1 AS number, id FROM campuses";

/// Every `$2`-th of `$1` deliveries, from the `$3`-th on, the newest first.
const LOG: &str = "
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload, signature_valid, received_at,
                              status, message, error, attempts, processed_at, trace_id, config_version)
    SELECT id, campus, event, type, CASE WHEN type LIKE 'member.%' THEN member END,
           jsonb_build_object('event_id', event, 'event_type', type, 'campus_id', campus, 'member_id', member,
                              'timestamp', at),
           status <> 'rejected', at, status, CASE status WHEN 'processed' THEN 'Member updated: SUMARNI NINGSIH' END,
           CASE WHEN status IN ('dead', 'retrying') THEN 'GET /api/members/{id}: HTTP 503 (unavailable).' END,
           CASE WHEN status IN ('dead', 'retrying') THEN 6 ELSE 1 END,
           CASE WHEN status <> 'retrying'
                THEN at + CASE WHEN status IN ('dead', 'discarded') THEN interval '75 minutes' ELSE interval '40 ms' END END,
           md5(i::text), 1
    FROM (SELECT i, at, c.id AS campus,
                 (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3)
                  || '8' || substr(hash, 4, 15))::uuid AS id,
                 hash::uuid::text AS event,
                 lpad(to_hex(c.number), 8, '0') || '-0000-4000-8000-' || lpad((i % 997)::text, 12, '0') AS member,
                 CASE WHEN i % 500000 = 7 THEN 'member.merged' WHEN i % 1000 = 0 THEN 'ping'
                      WHEN i % 50 = 1 THEN 'member.deleted' WHEN i % 12 = 2 THEN 'member.created'
                      ELSE 'member.updated' END AS type,
                 CASE WHEN i <= 50000 AND i % 10 = 3 THEN 'retrying' WHEN i % 105 = 5 THEN 'dead'
                      WHEN i % 2000 = 9 THEN 'discarded' WHEN i % 3000 = 11 THEN 'rejected'
                      WHEN i % 400 = 13 THEN 'duplicate' WHEN i % 100 = 17 THEN 'filtered'
                      WHEN i % 100000 = 19 THEN 'stale' WHEN i % 500000 = 7 THEN 'ignored' ELSE 'processed' END AS status
          FROM (SELECT i, md5(i::text) AS hash, floor(power(random(), 2) * campuses) AS campus,
                       now() - CASE WHEN i <= $1::bigint * 0.3 THEN interval '36 hours' * (i / ($1::bigint * 0.3))
                                    ELSE interval '36 hours' + interval '88 days' * ((i - $1::bigint * 0.3) / ($1::bigint * 0.7)) END AS at
                FROM (SELECT n * $2::bigint + $3::bigint + 1 AS i FROM generate_series(0, $1::bigint / $2::bigint - 1) AS n) AS numbers,
                     (SELECT count(*) AS campuses FROM numbered_campuses) AS all_campuses) AS times
          JOIN numbered_campuses c ON c.number = times.campus) AS deliveries";

const LETTERS: &str = "
    INSERT INTO dead_letters (id, event_id, campus_id, event_type, member_id, cause, reason, attempts, first_failed_at,
                              dead_at, received_at, envelope, trace_id, status, replay_count, replayed_at)
    SELECT id, event_id, campus_id, event_type, member_id,
           (ARRAY['core_unavailable', 'core_unavailable', 'core_unavailable', 'member_not_found', 'core_bad_response',
                  'wrong_church'])[1 + n % 6],
           'The core is away.', 6, received_at, processed_at, received_at, payload || '{\"schema_version\": 1}', trace_id,
           CASE WHEN status = 'discarded' THEN status
                ELSE (ARRAY['open', 'open', 'open', 'open', 'open', 'open', 'open', 'replaying', 'resolved',
                            'resolved'])[1 + n % 10] END,
           n % 3, processed_at + interval '1 hour'
    FROM (SELECT *, row_number() OVER (ORDER BY received_at) AS n FROM webhook_logs
          WHERE status IN ('dead', 'discarded')) AS dead";

const RUNS: &str = "
    INSERT INTO sync_logs (campus_id, sync_type, status, started_at, completed_at, duration_seconds)
    SELECT id, 'reconciliation', 'success', now() - n * interval '1 hour', now() - n * interval '1 hour', 1.5
    FROM numbered_campuses, generate_series(1, 24 * 90) AS n";
