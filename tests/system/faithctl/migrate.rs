//! `faithctl migrate`, and the roles that are made after it.

use harness::{Finished, ROLE_PASSWORD, Role, TestSystem};
use support::{program::run_to_end, servers::DataFolder};
use tokio_postgres::{Client, NoTls};

use super::campus_alone;

/// A database with nothing in it, beside the test's own.
struct EmptyDatabase {
    url: String,
    name: String,
}

impl EmptyDatabase {
    async fn create(system: &TestSystem) -> Self {
        let mut url: reqwest::Url = system.database.url().parse().unwrap();
        let name = format!("{}_empty", url.path().trim_start_matches('/'));
        url.set_path(&name);
        let create = format!("CREATE DATABASE {name}");
        system.database.client().batch_execute(&create).await.unwrap();
        Self { url: url.into(), name }
    }

    async fn connect(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// With nothing in the environment but the database: on the day of installation there is
    /// neither a secrets key nor a broker.
    async fn migrate(&self) -> Finished {
        self.run(&["migrate"]).await
    }

    async fn run(&self, arguments: &[&str]) -> Finished {
        let variables = [("DATABASE_URL".to_owned(), self.url.clone())].into();
        run_to_end("faithctl", arguments, b"", variables).await.unwrap()
    }

    async fn delete(self, system: &TestSystem) {
        let delete = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        system.database.client().batch_execute(&delete).await.unwrap();
    }
}

#[tokio::test]
async fn ten_at_once_on_an_empty_database_all_succeed() {
    let system = campus_alone().await;
    let database = EmptyDatabase::create(&system).await;
    let runs: [_; 10] = std::array::from_fn(|_| database.migrate());
    let mut applied = Vec::new();
    for finished in futures_util::future::join_all(runs).await {
        let said = finished.success();
        applied.extend(said.lines().filter(|line| line.starts_with("applied")).map(str::to_owned));
    }
    let mut distinct = applied.clone();
    distinct.sort();
    distinct.dedup();
    assert!(distinct.len() >= 5, "{applied:?}");
    assert_eq!(distinct.len(), applied.len(), "each is applied once: {applied:?}");
    assert!(database.migrate().await.success().contains("up to date"));
    let told = database.run(&["migrate", "--json"]).await.json();
    let nothing = serde_json::json!({"applied": [], "roles": false, "passwords_set": []});
    assert_eq!(told, nothing);

    let days = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'webhook_logs'::regclass";
    let days: i64 = database.connect().await.query_one(days, &[]).await.unwrap().get(0);
    assert!(days >= 9, "a week is made ahead, and a default partition: {days}");
    database.delete(&system).await;
}

#[tokio::test]
async fn roles_are_made_again_and_by_several_at_once() {
    let system = campus_alone().await;
    let roles = include_str!("../../../deploy/roles.sql");
    for _ in 0..2 {
        system.database.client().batch_execute(roles).await.unwrap();
    }
    let sessions = futures_util::future::join_all((0..5).map(|_| system.database.connect())).await;
    let applied = sessions.iter().map(|session| session.batch_execute(roles));
    for result in futures_util::future::join_all(applied).await {
        result.unwrap();
    }
}

/// As the schema was before the newest migrations that lock a table which events are written to.
const BEFORE: &str = "
    DELETE FROM refinery_schema_history WHERE version >= 25;
    DROP INDEX sync_logs_started;
    DROP TABLE operators, operator_sessions, operator_links, operator_login_attempts;
    DROP INDEX dead_letters_cause";

#[tokio::test]
async fn events_wait_behind_no_migration_that_waits_for_a_dump() {
    let system = campus_alone().await;
    let database = EmptyDatabase::create(&system).await;
    database.migrate().await.success();
    let client = database.connect().await;
    client.batch_execute(BEFORE).await.unwrap();
    client.batch_execute("BEGIN; LOCK sync_logs IN ROW EXCLUSIVE MODE").await.unwrap();
    let held = database.migrate().await;
    assert_eq!(held.code, Some(1), "{held:?}");
    assert!(held.stderr.contains("run it again"), "{held:?}");
    client.batch_execute("ROLLBACK").await.unwrap();
    let said = database.migrate().await.success();
    assert!(said.contains("run_lists"), "{said}");
    let index = "SELECT to_regclass('dead_letters_cause') IS NOT NULL";
    assert!(client.query_one(index, &[]).await.unwrap().get::<_, bool>(0));
    drop(client);
    database.delete(&system).await;
}

#[tokio::test]
async fn a_schema_of_a_newer_version_is_left_alone() {
    let system = campus_alone().await;
    let newer = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
                 VALUES (99, 'from_the_future', '2030-01-01T00:00:00Z', '1')";
    system.database.client().batch_execute(newer).await.unwrap();
    let variables = [("DATABASE_URL".to_owned(), system.database.url())].into();
    let finished = run_to_end("faithctl", &["migrate"], b"", variables).await.unwrap();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("from_the_future"), "{finished:?}");
}

#[tokio::test]
async fn roles_and_their_passwords_are_made_when_asked_for() {
    let system = campus_alone().await;
    let folder = DataFolder::temporary().unwrap();
    // Roles belong to the server, which other tests use at the same moment: the same password again.
    std::fs::write(folder.join("faith_worker"), format!("{ROLE_PASSWORD}\n")).unwrap();
    let revoke = "REVOKE ALL ON members FROM faith_worker";
    system.database.client().batch_execute(revoke).await.unwrap();
    let path = folder.path().to_str().unwrap();
    let variables = [("DATABASE_URL".to_owned(), system.database.url())].into();
    let arguments = ["migrate", "--roles", "--passwords", path];
    let said = run_to_end("faithctl", &arguments, b"", variables).await.unwrap().success();
    for line in [
        "every program's role has its rights",
        "faith_worker has the password of its file",
        "faith_gateway keeps its password",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let worker = system.database.connect_as(Role::Worker).await;
    worker.batch_execute("SELECT name FROM members").await.unwrap();
}
