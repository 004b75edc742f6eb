//! A database that takes no writes: who must write is not ready, and `doctor` says what to do.

use std::time::Duration;

use harness::{TestSystem, eventually};

use super::{SOON, reason};

#[tokio::test]
async fn who_must_write_is_not_ready_while_nothing_can_be_written() {
    let system = TestSystem::builder().reconcilers(1).spawn().await;
    let client = system.database.client();
    let name: String = client.query_one("SELECT current_database()", &[]).await.unwrap().get(0);
    let end_sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    client.batch_execute(&set).await.unwrap();
    client.execute(end_sessions, &[]).await.unwrap();
    for kind in ["worker", "reconciler"] {
        eventually("it says so", SOON, async || {
            let reason = reason(&system, kind, "postgres").await;
            if reason.contains("takes no writes: default_transaction_read_only is on") {
                Ok(())
            } else {
                Err(reason)
            }
        })
        .await;
    }
    let doctor = system.faithctl(&["doctor"]).await;
    assert_eq!(doctor.code, Some(1));
    let said = doctor.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("it is read-only: nothing can be written"), "{said}");
    assert!(said.contains("RESET default_transaction_read_only"), "{said}");

    client
        .batch_execute(&format!(
            "SET default_transaction_read_only = off;
             ALTER DATABASE {name} RESET default_transaction_read_only"
        ))
        .await
        .unwrap();
    client.execute(end_sessions, &[]).await.unwrap();
    for kind in ["worker", "reconciler"] {
        system.until_ready(kind, 0, Duration::from_secs(10)).await;
    }
}
