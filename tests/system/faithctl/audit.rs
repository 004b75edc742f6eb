//! Who changed what: every change has its entry, and nobody takes one back.

use harness::{Role, TestSystem};
use serde_json::{Value, json};

use super::campus_alone;

/// `insufficient_privilege`.
const REFUSED: &str = "42501";

/// What somebody might try who would rather not be known.
const CHEATS: &[&str] = &[
    "UPDATE operator_log SET who = 'nobody'",
    "UPDATE operator_log SET subject = '{}'",
    "DELETE FROM operator_log",
    "TRUNCATE operator_log",
    "ALTER TABLE operator_log DISABLE TRIGGER ALL",
    "ALTER TABLE operator_log DISABLE TRIGGER keep_rows",
    "DROP TRIGGER keep_rows ON operator_log",
    "DROP TABLE operator_log",
    "SET session_replication_role = replica",
    "SET faithtracker.operator_log = 'retention'; DELETE FROM operator_log",
    "SET faithtracker.operator_log = 'erasure'; UPDATE operator_log SET subject = '{}'",
    "INSERT INTO operator_log (at, who, via, action, result) VALUES ('2020-01-01', 'x', 'faithctl', 'x', 'done')",
    "INSERT INTO operator_log (role, who, via, action, result) VALUES ('x', 'x', 'faithctl', 'x', 'done')",
    "CREATE OR REPLACE FUNCTION keep_operator_log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    // No erasure is noted in the same transaction.
    "SELECT erase_from_operator_log(gen_random_uuid(), 'm-1')",
];

/// What the owner of the table is refused as well, as long as the triggers are there.
const OF_OWNER: usize = 4;

/// An entry of now, of three months ago, and of two years ago.
const ENTRIES: &str = "
    INSERT INTO operator_log (at, who, via, action, subject, result)
    SELECT now() - age * interval '1 day', 'somebody@somewhere', 'faithctl', 'campus set', '{\"member\": \"m-1\"}', 'done'
    FROM unnest(ARRAY[0, 90, 730]) AS age";

async fn entries(system: &TestSystem) -> Vec<Value> {
    let query = "SELECT at, who, subject FROM operator_log WHERE who = 'somebody@somewhere' ORDER BY at DESC";
    system.database.rows(query, &[]).await
}

#[tokio::test]
async fn no_role_can_change_or_delete_what_was_noted() {
    let system = campus_alone().await;
    system.database.client().batch_execute(ENTRIES).await.unwrap();
    let before = entries(&system).await;
    for role in Role::ALL {
        for cheat in CHEATS {
            let session = system.database.connect_as(role).await;
            let error = session.batch_execute(cheat).await.expect_err(cheat);
            let code = error.code().map(tokio_postgres::error::SqlState::code);
            assert_eq!(code, Some(REFUSED), "{role:?}: {cheat}: {error:?}");
        }
    }
    let owner = system.database.connect().await;
    for cheat in &CHEATS[..OF_OWNER] {
        let error = owner.batch_execute(cheat).await.expect_err(cheat);
        assert!(
            error.as_db_error().is_some_and(|error| error.message().contains("not changed")),
            "{error:?}"
        );
    }
    assert_eq!(entries(&system).await, before);

    // Even retention leaves the newest month.
    let reconciler = system.database.connect_as(Role::Reconciler).await;
    reconciler.batch_execute("SELECT forget_operator_log('0 s')").await.unwrap();
    assert_eq!(entries(&system).await, before[..1]);
}

#[tokio::test]
async fn entries_are_forgotten_after_their_retention() {
    let system = campus_alone().await;
    system.database.client().batch_execute(ENTRIES).await.unwrap();
    let before = entries(&system).await;
    system.reconcile(&["--once"]).await.success();
    assert_eq!(entries(&system).await, before[..2], "400 days");
    assert_eq!(before[0]["subject"], json!({"member": "m-1"}));
}
