//! The database that every test's own is copied from: migrated once a run, not once a test.

use std::{hash::Hasher, time::SystemTime};

use support::program::{binary, run_to_end, workspace};
use tokio_postgres::Client;

use super::{
    eventually,
    role::{ROLE_PASSWORD, Role},
    session,
};

/// Any number that nobody else locks in the database `postgres` of a test server.
const LOCK: i64 = 0x6661_6974_6874_6573;

/// The name of the template, made if it is not there yet. `server` is the superuser's URL of the
/// database `postgres`.
///
/// Test processes arrive together, and the first one makes it while the others wait for the lock.
pub(super) async fn name(server: &str) -> String {
    let client = session::connect(server).await;
    let name = format!("template_{:016x}", migrations_fingerprint());
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.unwrap();
    let exists = client
        .query_opt("SELECT FROM pg_database WHERE datname = $1", &[&name])
        .await
        .unwrap()
        .is_some();
    if !exists {
        make(&client, server, &name).await;
    }
    // The lock ends with the session.
    name
}

async fn make(client: &Client, server: &str, name: &str) {
    let unfinished = format!("{name}_unfinished");
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {unfinished}")).await.unwrap();
    client.batch_execute(&format!("CREATE DATABASE {unfinished}")).await.unwrap();
    let url = session::in_database(server, &unfinished);
    let variables = [("DATABASE_URL".to_owned(), url.clone())].into();
    run_to_end("faithctl", &["migrate"], b"", variables).await.unwrap().success();

    let owner = session::connect(&url).await;
    let roles = std::fs::read_to_string(workspace().join("deploy/roles.sql")).unwrap();
    owner.batch_execute(&roles).await.unwrap();
    for role in Role::ALL {
        let password = format!("ALTER ROLE {} PASSWORD '{ROLE_PASSWORD}'", role.name());
        owner.batch_execute(&password).await.unwrap();
    }
    drop(owner);
    let rename = format!("ALTER DATABASE {unfinished} RENAME TO {name}");
    eventually("the template has no session", std::time::Duration::from_secs(10), async || {
        client.batch_execute(&rename).await.map_err(|error| format!("{error:?}"))
    })
    .await;
}

/// Changes when the binary that carries the migrations, or the file of roles does: a server may
/// outlive an edit.
fn migrations_fingerprint() -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    for file in [binary("faithctl").unwrap(), workspace().join("deploy/roles.sql")] {
        let metadata = std::fs::metadata(file).unwrap();
        let changed = metadata.modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        hasher.write_u128(changed.as_nanos());
        hasher.write_u64(metadata.len());
    }
    hasher.finish()
}
