//! The least rights of each program's role: the walls of the product, kept by Postgres itself.

use harness::Role;

use super::campus_alone;

/// `insufficient_privilege`.
const REFUSED: &str = "42501";

/// What each role must not be able to do.
const FORBIDDEN: &[(Role, &str)] = &[
    (Role::Worker, "UPDATE members SET engagement_status = 'x'"),
    (Role::Worker, "UPDATE members SET days_since_last_contact = 0"),
    (Role::Worker, "UPDATE members SET last_contact_at = now()"),
    (Role::Worker, "UPDATE members SET notes = 'x'"),
    (Role::Worker, "SELECT notes FROM members"),
    (Role::Worker, "DELETE FROM members"),
    (Role::Worker, "DELETE FROM member_sync"),
    (Role::Worker, "INSERT INTO members (notes) VALUES ('x')"),
    (Role::Worker, "INSERT INTO members (engagement_status) VALUES ('x')"),
    (Role::Worker, "SELECT FROM care_events"),
    (Role::Worker, "UPDATE care_events SET title = 'x'"),
    (Role::Worker, "DELETE FROM care_events"),
    (Role::Worker, "TRUNCATE webhook_logs"),
    (Role::Worker, "INSERT INTO care_events (title) VALUES ('x')"),
    (Role::Worker, "SELECT webhook_secret_sealed FROM sync_configs"),
    (Role::Worker, "UPDATE sync_configs SET is_enabled = false"),
    (Role::Worker, "DELETE FROM webhook_logs"),
    (Role::Reconciler, "UPDATE members SET engagement_status = 'x'"),
    (Role::Reconciler, "UPDATE members SET notes = 'x'"),
    (Role::Reconciler, "INSERT INTO care_events (title) VALUES ('x')"),
    (Role::Reconciler, "SELECT webhook_secret_sealed FROM sync_configs"),
    (Role::Reconciler, "UPDATE sync_configs SET filter_rules = '[]'"),
    (Role::Reconciler, "SELECT envelope FROM dead_letters"),
    (Role::Reconciler, "UPDATE dead_letters SET status = 'open'"),
    (Role::Gateway, "SELECT name FROM members"),
    (Role::Gateway, "SELECT FROM members"),
    (Role::Gateway, "SELECT FROM member_photos"),
    (Role::Gateway, "SELECT FROM care_events"),
    (Role::Gateway, "SELECT FROM dead_letters"),
    (Role::Gateway, "SELECT api_email FROM sync_configs"),
    (Role::Gateway, "SELECT api_password_sealed FROM sync_configs"),
    (Role::Gateway, "SELECT FROM core_tokens"),
    (Role::Gateway, "SELECT FROM webhook_logs"),
    (Role::Gateway, "SELECT FROM campuses"),
    (Role::Gateway, "UPDATE sync_configs SET is_enabled = true"),
    (Role::Admin, "UPDATE members SET name = 'x'"),
    (Role::Admin, "DELETE FROM campuses"),
    (Role::Admin, "CREATE TABLE mine (id integer)"),
];

/// What each role needs, as far as it can be tried with a statement that changes nothing.
const NEEDED: &[(Role, &str)] = &[
    (
        Role::Worker,
        "UPDATE members SET name = name, age = age, is_archived = is_archived WHERE false",
    ),
    (Role::Worker, "SELECT nextval('observation')"),
    (Role::Worker, "UPDATE webhook_logs SET status = status WHERE false"),
    (Role::Reconciler, "UPDATE members SET age = age, updated_at = updated_at WHERE false"),
    (Role::Reconciler, "SELECT make_webhook_log_partitions(current_date, current_date)"),
    (Role::Reconciler, "SELECT drop_webhook_log_partitions('2000-01-01')"),
    (Role::Gateway, "SELECT webhook_secret_sealed, is_enabled, rate_limit FROM sync_configs"),
    (Role::Gateway, "LISTEN campus_changed"),
    (
        Role::Gateway,
        "SELECT oldest_retrying_event_age(), events_taken_until(), name FROM campus_names()",
    ),
    (Role::Admin, "UPDATE sync_configs SET is_enabled = is_enabled WHERE false"),
    (Role::Admin, "SELECT FROM webhook_logs, dead_letters, sync_logs, refinery_schema_history"),
];

#[tokio::test]
async fn no_role_can_do_what_is_not_its_own() {
    let system = campus_alone().await;
    for (role, statement) in FORBIDDEN {
        let session = system.database.connect_as(*role).await;
        let error = session.batch_execute(statement).await.expect_err(statement);
        let code = error.code().map(tokio_postgres::error::SqlState::code);
        assert_eq!(code, Some(REFUSED), "{role:?}: {statement}: {error:?}");
    }
}

#[tokio::test]
async fn every_role_can_do_its_work() {
    let system = campus_alone().await;
    for (role, statement) in NEEDED {
        let session = system.database.connect_as(*role).await;
        session
            .batch_execute(statement)
            .await
            .unwrap_or_else(|error| panic!("{role:?}: {statement}: {error:?}"));
    }
}
