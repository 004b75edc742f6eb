//! Several hosts, as libpq writes them.

use std::time::{Duration, Instant};

use harness::{
    proxy::{Mode, Proxy},
    {Role, TestSystem},
};
use support::servers::{DataFolder, Postgres};
use tokio_postgres::NoTls;

use super::{faithctl_at, parts};

const LIST: &[&str] = &["campus", "list"];

#[tokio::test]
async fn a_host_that_is_dead_or_silent_keeps_nobody_from_the_next() {
    let system = TestSystem::builder().reconcilers(1).spawn().await;
    let url = system.database.url_as(Role::Admin);
    let (credentials, host, database) = parts(&url);
    let silent = Proxy::to(host.parse().unwrap()).await.unwrap();
    silent.set(Mode::BlackHole);
    for first in ["127.0.0.1:9".to_owned(), silent.address().to_string()] {
        let url = format!("postgres://{credentials}@{first},{host}/{database}?connect_timeout=4");
        let begun = Instant::now();
        let finished = faithctl_at(&system, &url, LIST).await;
        assert!(finished.stdout.contains(&system.campus.id), "{finished:?}");
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
    for (kind, role) in
        [("gateway", Role::Gateway), ("worker", Role::Worker), ("reconciler", Role::Reconciler)]
    {
        let url = system.database.url_as(role);
        let (credentials, host, database) = parts(&url);
        let url = format!("postgres://{credentials}@{},{host}/{database}", silent.address());
        let program = match kind {
            "gateway" => system.gateway(0),
            "worker" => system.worker(0),
            _ => system.reconciler(0),
        };
        program.terminate(Duration::from_secs(25)).await.unwrap();
        program.set_variable("DATABASE_URL", url);
        system.start_again(kind, 0).await;
    }
    // None of them: each is named with its own reason.
    let url = format!("postgres://{credentials}@127.0.0.1:9,{}/{database}", silent.address());
    let finished = faithctl_at(&system, &url, LIST).await;
    let silence = format!("at {}: it does not answer", silent.address());
    for words in ["at 127.0.0.1:9: ", "refused", silence.as_str()] {
        assert!(finished.stderr.contains(words), "{finished:?}");
    }
}

#[tokio::test]
async fn the_host_that_is_wanted_is_taken_and_options_are_kept() {
    let system = TestSystem::builder().gateways(0).workers(0).spawn().await;
    let url = system.database.url_as(Role::Admin);
    let (credentials, host, database) = parts(&url);
    // Another server with a database of this name, in which nothing can be written.
    let folder = DataFolder::temporary().unwrap();
    let other = Postgres::start(&folder).await.unwrap();
    let (client, connection) =
        tokio_postgres::connect(&other.url("postgres"), NoTls).await.unwrap();
    tokio::spawn(connection);
    let (role, password) = credentials.split_once(':').unwrap();
    for statement in [
        format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'"),
        format!("CREATE DATABASE {database}"),
        format!("ALTER DATABASE {database} SET default_transaction_read_only = on"),
    ] {
        client.batch_execute(&statement).await.unwrap();
    }
    let other_url = other.url("postgres");
    let read_only = parts(&other_url).1;
    let at = async |target: &str| {
        let url = format!(
            "postgres://{credentials}@{read_only},{host}/{database}?target_session_attrs={target}"
        );
        faithctl_at(&system, &url, LIST).await
    };
    // The first one, and there is nothing in it.
    for target in ["any", "read-only", "primary", "prefer-standby"] {
        let finished = at(target).await;
        assert!(
            finished.stderr.contains("does not exist (SQLSTATE 42P01)"),
            "{target}: {finished:?}"
        );
    }
    let finished = at("read-write").await;
    assert!(finished.stdout.contains(&system.campus.id), "{finished:?}");
    let finished = at("standby").await;
    assert_eq!(finished.stderr.matches("it is no standby").count(), 2, "{finished:?}");
    let finished = at("some").await;
    assert_eq!(finished.code, Some(2), "{finished:?}");

    let url = format!("{url}?options=-c%20search_path%3Dnowhere");
    let finished = faithctl_at(&system, &url, LIST).await;
    assert!(finished.stderr.contains("does not exist (SQLSTATE 42P01)"), "{finished:?}");
}
