//! The least rights of each program's role: the walls of the product, kept by Postgres itself.

use harness::{Role, TestSystem};
use serde_json::{Value, json};

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
    (Role::Worker, "INSERT INTO operations (id) VALUES (gen_random_uuid())"),
    (Role::Worker, "UPDATE operations SET filters = NULL"),
    (Role::Worker, "UPDATE operations SET rate = 1"),
    (Role::Worker, "DELETE FROM operations"),
    (Role::Reconciler, "UPDATE operations SET note = 'x'"),
    (Role::Gateway, "SELECT FROM operations"),
    (Role::Admin, "UPDATE operations SET done = 1"),
    (Role::Admin, "UPDATE operations SET lease_by = NULL"),
    (Role::Admin, "INSERT INTO operations (state) VALUES ('done')"),
    (Role::Admin, "DELETE FROM operations"),
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
    (Role::Console, "SELECT name FROM members"),
    (Role::Console, "SELECT FROM member_photos"),
    (Role::Console, "SELECT FROM care_events"),
    (Role::Console, "SELECT webhook_secret_sealed FROM sync_configs"),
    (Role::Console, "SELECT previous_secret_sealed FROM sync_configs"),
    (Role::Console, "SELECT api_password_sealed FROM sync_configs"),
    (Role::Console, "SELECT token_sealed FROM core_tokens"),
    (Role::Console, "SELECT message FROM webhook_logs"),
    (Role::Console, "SELECT payload FROM webhook_logs"),
    (Role::Console, "SELECT envelope FROM dead_letters"),
    (Role::Console, "UPDATE webhook_logs SET status = 'discarded'"),
    (Role::Console, "UPDATE dead_letters SET status = 'discarded'"),
    (Role::Console, "UPDATE sync_configs SET is_enabled = false"),
    (Role::Console, "INSERT INTO operators (login, name, role) VALUES ('x', 'x', 'admin')"),
    (Role::Console, "UPDATE operators SET role = 'admin'"),
    (Role::Console, "UPDATE operators SET campuses = NULL"),
    (
        Role::Console,
        "INSERT INTO operator_links (token_sha256, made_by, expires_at) VALUES ('', 'x', now())",
    ),
    (Role::Worker, "SELECT FROM operators"),
    (Role::Reconciler, "SELECT FROM operator_sessions"),
    (Role::Gateway, "SELECT FROM operator_links"),
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
    (Role::Admin, "UPDATE operations SET state = state, rate = rate WHERE false"),
    (Role::Worker, "UPDATE operations SET state = state, done = done WHERE false"),
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

/// An operation that nobody carries out.
const OPERATION: &str = "INSERT INTO operations (id, kind, request_id, by, role) VALUES (gen_random_uuid(), 'replay', gen_random_uuid(), 'x', 'x')";

/// What somebody might try who would like an operation to have been carried out.
const CHEATS: &[&str] = &[
    "UPDATE operations SET state = 'done'",
    "UPDATE operations SET state = 'running'",
    "CREATE TEMP TABLE operations (lease_by uuid); UPDATE public.operations SET state = 'done'",
];

#[tokio::test]
async fn who_asks_for_an_operation_does_not_decide_that_it_is_done() {
    let system = campus_alone().await;
    system.database.client().batch_execute(OPERATION).await.unwrap();
    for cheat in CHEATS {
        let session = system.database.connect_as(Role::Admin).await;
        let error = session.batch_execute(cheat).await.expect_err(cheat);
        let code = error.code().map(tokio_postgres::error::SqlState::code);
        assert_eq!(code, Some(REFUSED), "{cheat}: {error:?}");
    }
}

/// What `doctor` says of the roles.
async fn roles(system: &TestSystem) -> Vec<Value> {
    let finished = system.faithctl(&["doctor", "--json"]).await;
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    let checks = report.as_array().unwrap().iter();
    checks.filter(|check| check["check"] == "roles").cloned().collect()
}

/// What the roles of the programs are granted in this database; a column where it is not all of the table.
const GRANTED: &str = "
    SELECT r.rolname AS role, acl.privilege_type AS privilege, object, col, kind
    FROM (SELECT relname::text AS object, NULL AS col, relacl AS list,
                 CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind
          FROM pg_class WHERE relnamespace = 'public'::regnamespace
          UNION ALL
          SELECT c.relname, attname, attacl, 'table' FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
          WHERE c.relnamespace = 'public'::regnamespace
          UNION ALL
          SELECT proname || '(', NULL, proacl, 'function' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
          UNION ALL
          SELECT nspname, NULL, nspacl, 'schema' FROM pg_namespace WHERE nspname = 'public') AS given,
         aclexplode(list) AS acl JOIN pg_roles r ON r.oid = acl.grantee
    WHERE r.rolname IN ('faith_gateway', 'faith_worker', 'faith_reconciler', 'faith_console')";

const PROGRAMS: &str = "faith_gateway, faith_worker, faith_reconciler, faith_console";

#[tokio::test]
async fn doctor_names_every_right_that_a_program_misses() {
    let system = campus_alone().await;
    let client = system.database.client();
    let well = roles(&system).await;
    assert_eq!((well.len(), &well[0]["status"]), (1, &json!("ok")), "{well:?}");

    // As after `faithctl migrate` alone: what the newest migrations added, nobody may use yet.
    let migrated = "
        REVOKE SELECT (paused_at) ON sync_configs FROM faith_worker, faith_reconciler;
        REVOKE EXECUTE ON FUNCTION oldest_retrying_event_age() FROM faith_gateway";
    client.batch_execute(migrated).await.unwrap();
    let found: Vec<_> = roles(&system)
        .await
        .iter()
        .map(|check| json!([check["status"], check["detail"]]))
        .collect();
    let measured = "faith_gateway may not EXECUTE oldest_retrying_event_age(): metrics are missing";
    let expected = [
        json!(["warning", measured]),
        json!(["failure", "faith_worker may not SELECT sync_configs.paused_at"]),
        json!(["failure", "faith_reconciler may not SELECT sync_configs.paused_at"]),
    ];
    assert_eq!(found, expected);

    client.batch_execute(include_str!("../../../deploy/roles.sql")).await.unwrap();
    let granted = system.database.rows(GRANTED, &[]).await;
    assert!(granted.len() > 100, "{granted:?}");
    let take_all = format!(
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {PROGRAMS};
         REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {PROGRAMS};
         REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM {PROGRAMS};
         REVOKE ALL ON SCHEMA public FROM {PROGRAMS}, PUBLIC; GRANT USAGE ON SCHEMA public TO faith_admin"
    );
    client.batch_execute(&take_all).await.unwrap();
    let found: Vec<String> = roles(&system)
        .await
        .iter()
        .map(|check| check["detail"].as_str().unwrap().to_owned())
        .collect();
    for right in granted {
        let word = |key: &str| right[key].as_str().unwrap();
        let said = format!("{} may not {} {}", word("role"), word("privilege"), word("object"));
        let is_said =
            found.iter().filter_map(|line| line.strip_prefix(&said)).any(|rest| match right["col"]
                .as_str()
            {
                Some(column) => rest.split(['.', '(', ')', ',', ' ']).any(|word| word == column),
                None => rest.is_empty() || word("kind") == "function",
            });
        assert!(is_said, "{right} is not said: {found:#?}");
    }
}
