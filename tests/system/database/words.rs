//! Whatever Postgres refuses is said with SQLSTATE and message, and never with the detail.

use harness::{Role, TestSystem};

use super::{faithctl_at, parts};

#[tokio::test]
async fn a_session_that_is_refused_says_why() {
    let system = TestSystem::builder().gateways(0).workers(0).spawn().await;
    let url = system.database.url_as(Role::Admin);
    let (credentials, host, database) = parts(&url);
    let role = credentials.split_once(':').unwrap().0;
    for (url, code, message) in [
        (
            format!("postgres://{role}:wrong@{host}/{database}"),
            "28P01",
            "password authentication failed for user",
        ),
        (
            format!("postgres://{credentials}@{host}/nowhere"),
            "3D000",
            "database \"nowhere\" does not exist",
        ),
    ] {
        for command in [&["campus", "list"][..], &["status"], &["doctor"]] {
            let finished = faithctl_at(&system, &url, command).await;
            assert_eq!(finished.code, Some(1), "{finished:?}");
            let said = format!("{}{}", finished.stdout, finished.stderr);
            // Tables break lines.
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains(&format!("(SQLSTATE {code})")), "{said}");
            assert!(said.contains(message) && !said.contains("db error"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_statement_that_is_refused_says_why_and_nothing_of_values() {
    let system = TestSystem::builder().gateways(0).workers(0).spawn().await;
    system
        .database
        .client()
        .batch_execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 RAISE EXCEPTION 'campuses are closed today' USING DETAIL = 'secret value', HINT = 'secret hint';
             END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON campuses FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await
        .unwrap();
    let arguments = ["campus", "set", &system.campus.id, "--name", "another"];
    let finished = system.faithctl(&arguments).await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("campuses are closed today (SQLSTATE P0001)"), "{finished:?}");
    assert!(
        !finished.stderr.contains("secret") && !finished.stderr.contains("db error"),
        "{finished:?}"
    );

    system
        .database
        .client()
        .batch_execute("REVOKE ALL ON sync_configs FROM faith_admin")
        .await
        .unwrap();
    let finished = system.faithctl(&["campus", "list"]).await;
    assert!(
        finished.stderr.contains("permission denied for table sync_configs (SQLSTATE 42501)"),
        "{finished:?}"
    );
    system.database.client().batch_execute("DROP TABLE refinery_schema_history").await.unwrap();
    let finished = faithctl_at(&system, &system.database.url(), &["migrate"]).await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("already exists (SQLSTATE 42"), "{finished:?}");
}
