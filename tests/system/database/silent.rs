//! A Postgres that takes connections and says nothing is tried at least every 5 s.

use std::time::{Duration, Instant};

use harness::{Role, TestSystem, eventually};
use tokio::{net::TcpListener, sync::watch};

use super::reason;

/// Of the contract, and what a busy machine adds.
const EVERY: Duration = Duration::from_millis(5500);
const ATTEMPTS: usize = 4;

/// Takes connections, keeps them, and says when each came.
async fn silence() -> (u16, watch::Receiver<Vec<Instant>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = watch::channel(Vec::new());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            kept.push(connection);
            sender.send_modify(|moments: &mut Vec<Instant>| moments.push(Instant::now()));
        }
    });
    (port, receiver)
}

#[tokio::test]
async fn every_program_keeps_trying() {
    let roles = [
        ("gateway", "campuses", Role::Gateway),
        ("worker", "postgres", Role::Worker),
        ("reconciler", "postgres", Role::Reconciler),
    ];
    let mut builder = TestSystem::builder().reconcilers(1).without_waiting();
    let mut seen = Vec::new();
    for (kind, check, role) in roles {
        let (port, moments) = silence().await;
        let url = format!("postgres://{}:test@127.0.0.1:{port}/silent", role.name());
        builder = builder.variable_of(role, "DATABASE_URL", url);
        seen.push((kind, check, moments));
    }
    let system = builder.spawn().await;
    for (kind, check, mut moments) in seen {
        let enough = moments.wait_for(|moments| moments.len() >= ATTEMPTS);
        let moments = tokio::time::timeout(EVERY * 5, enough).await.unwrap().unwrap().clone();
        for pair in moments.windows(2) {
            assert!(pair[1] - pair[0] <= EVERY, "{kind}: {:?}", pair[1] - pair[0]);
        }
        eventually("it says so", EVERY, async || {
            reason(&system, kind, check).await.contains("not answer")
        })
        .await;
    }
}
