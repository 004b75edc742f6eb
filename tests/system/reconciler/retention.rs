//! What is forgotten after `LOG_RETENTION`, beside the days of the log.

use harness::TestSystem;
use serde_json::{Value, json};

/// A letter of each status that died so many days ago; the last was only lately resolved.
const LETTERS: &str = "
    INSERT INTO dead_letters (id, cause, reason, attempts, envelope, dead_at, status, note, resolved_at)
    SELECT gen_random_uuid(), 'database', 'r', 1, '{}'::jsonb, now() - age * interval '1 day', status,
           status || ' ' || age, CASE status WHEN 'resolved' THEN now() - age * interval '1 day' END
    FROM unnest(ARRAY['open', 'replaying', 'resolved', 'discarded']) AS status, unnest(ARRAY[5, 100]) AS age
    UNION ALL
    SELECT gen_random_uuid(), 'database', 'r', 1, '{}'::jsonb, now() - interval '100 days', 'resolved',
           'resolved lately', now()";

#[tokio::test]
async fn letters_are_forgotten_once_they_are_done_and_old_and_open_ones_never() {
    let builder = TestSystem::builder().gateways(0).workers(0).variable("LOG_RETENTION", "90d");
    let system = builder.spawn().await;
    system.database.client().batch_execute(LETTERS).await.unwrap();
    system.reconcile(&["--once"]).await.success();
    let left = system.database.rows("SELECT note FROM dead_letters ORDER BY note", &[]).await;
    let left: Vec<&Value> = left.iter().map(|row| &row["note"]).collect();
    let expected = [
        json!("discarded 5"),
        json!("open 100"),
        json!("open 5"),
        json!("replaying 100"),
        json!("replaying 5"),
        json!("resolved 5"),
        json!("resolved lately"),
    ];
    assert_eq!(left, expected.iter().collect::<Vec<_>>());
}
