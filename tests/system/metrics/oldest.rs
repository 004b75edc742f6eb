//! How the oldest event without an end is found: by an index that each day of the log has, old days and new ones.

use core_sim::Options;
use harness::TestSystem;
use support::program::run_to_end;

/// Days without a part of the index, and whether it is whole.
const INDEXED: &str = "
    SELECT (SELECT count(*) FROM pg_inherits WHERE inhparent = 'webhook_logs'::regclass)
         - (SELECT count(*) FROM pg_inherits WHERE inhparent = 'webhook_logs_retrying'::regclass) AS missing,
           (SELECT indisvalid FROM pg_index WHERE indexrelid = 'webhook_logs_retrying'::regclass) AS whole";

/// As `oldest_retrying_event_age` asks of each campus.
const PLAN: &str = "
    EXPLAIN SELECT id, received_at FROM webhook_logs
    WHERE status = 'retrying' AND campus_id = '00000000-0000-4000-8000-000000000000'
    ORDER BY received_at LIMIT 10000";

/// An hour old; two hours old and replayed; three hours old, of a campus that is paused.
const ROWS: &str = "
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, payload, signature_valid, received_at, status)
    SELECT gen_random_uuid(), campus_id::uuid, id, 'member.updated', '{}', true, now() - age::interval, 'retrying'
    FROM (VALUES ('active', 'FIRST', '1 hour'), ('replayed', 'FIRST', '2 hours'), ('paused', 'SECOND', '3 hours'))
         AS row(id, campus_id, age);
    INSERT INTO dead_letters (id, event_id, event_type, cause, reason, attempts, first_failed_at, dead_at,
                              envelope, status, received_at)
    SELECT id, event_id, event_type, 'poison', 'Why.', 1, now(), now(), '{}', 'replaying', received_at
    FROM webhook_logs WHERE event_id = 'replayed';
    UPDATE sync_configs SET paused_at = now() WHERE campus_id = 'SECOND'";

/// Of the campus that is paused: more than may be passed over one by one.
const MANY: &str = "
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, payload, signature_valid, received_at, status)
    SELECT gen_random_uuid(), 'SECOND', 'many', 'member.updated', '{}', true, now() - interval '4 hours', 'retrying'
    FROM generate_series(1, 20000)";

#[tokio::test]
async fn the_oldest_event_without_an_end_is_found_without_reading_the_log() {
    let churches = Options::churches_of(1, 2, 1);
    let core = Options { churches: churches.clone(), ..Options::default() };
    let system = TestSystem::builder().gateways(0).workers(0).core(core).spawn().await;
    let paused = system.add_campus(&churches[1], &[]).await;
    let of_campuses =
        |sql: &str| sql.replace("FIRST", &system.campus.id).replace("SECOND", &paused.id);
    let client = system.database.client();
    let is_whole = async || {
        let row = client.query_one(INDEXED, &[]).await.unwrap();
        (row.get::<_, i64>("missing"), row.get::<_, bool>("whole"))
    };
    // A day that is made later, and one whose part was not finished.
    client
        .execute("SELECT make_webhook_log_partitions('2031-01-01', '2031-01-02')", &[])
        .await
        .unwrap();
    assert_eq!(is_whole().await, (0, true));
    let interrupted = "
        DROP INDEX webhook_logs_retrying;
        CREATE INDEX webhook_logs_retrying ON ONLY webhook_logs (campus_id, received_at)
            WHERE status = 'retrying';
        CREATE INDEX webhook_logs_20310101_retrying ON webhook_logs_20310101 (attempts);";
    client.batch_execute(interrupted).await.unwrap();
    // As the owner of the tables.
    let variables = [("DATABASE_URL".to_owned(), system.database.url())].into();
    run_to_end("faithctl", &["migrate"], b"", variables).await.unwrap().success();
    assert_eq!(is_whole().await, (0, true));

    let age = async || {
        let row = client.query_one("SELECT oldest_retrying_event_age()", &[]).await.unwrap();
        row.get::<_, Option<f64>>(0).unwrap()
    };
    assert!(age().await.abs() < 1e-9);
    client.batch_execute(&of_campuses(ROWS)).await.unwrap();
    client.batch_execute(&of_campuses(MANY)).await.unwrap();
    let told = age().await;
    assert!((3600.0..3700.0).contains(&told), "replays and paused campuses do not count: {told}");
    client.batch_execute("UPDATE sync_configs SET paused_at = NULL").await.unwrap();
    assert!(age().await > 14_000.0);

    client.batch_execute("SET enable_seqscan = off").await.unwrap();
    let plan: Vec<String> =
        client.query(PLAN, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    let days = plan.iter().filter(|line| line.contains("on webhook_logs")).count();
    assert!(days > 2 && !plan.iter().any(|line| line.contains("Seq Scan")), "{plan:#?}");
    assert!(!plan.iter().any(|line| line.contains("Sort  (")), "{plan:#?}");
}
