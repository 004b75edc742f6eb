//! `program-down.md`, `scaling-workers.md`, `postgres-failover.md` and `upgrade.md`: what stopped is started again, and what
//! was missed meanwhile is reconciled.

use std::time::Duration;

use harness::{TestSystem, eventually};
use serde_json::json;

use super::{shell::Shell, walk::Walk};
use crate::worker::campus_under_test::{CampusUnderTest, SOON};

#[tokio::test]
async fn what_was_missed_without_a_gateway_a_worker_or_the_last_commits_is_repaired() {
    let system = TestSystem::builder().reconcilers(1).spawn().await;
    let campus = CampusUnderTest::first(&system);
    let shell = Shell::of(&system);
    system.reconcile(&["--once", "--all"]).await.success();

    without_gateway(&campus, &shell).await;
    without_worker(&campus, &shell).await;
    behind(&campus, &shell).await;
    before_an_upgrade(&shell).await;
}

/// A change whose webhook nobody took.
async fn without_gateway(campus: &CampusUnderTest<'_>, shell: &Shell) {
    let system = campus.system;
    let member = system.core.member_id(campus.church_id(), 0).unwrap();
    system.gateway(0).kill();
    campus.change(&member, json!({"full_name": "Missed"}));
    let mut walk = Walk::of("deploy/runbooks/program-down.md");
    let look = walk.next_despite_fault(shell).await;
    assert_eq!(look[0].code, Some(1), "{look:#?}");
    system.start_again("gateway", 0).await;
    walk.next(shell).await;
    walk.end();
    assert_eq!(campus.member(&member).await["name"], "Missed");
}

/// A backlog.
async fn without_worker(campus: &CampusUnderTest<'_>, shell: &Shell) {
    let system = campus.system;
    let member = system.core.member_id(campus.church_id(), 1).unwrap();
    system.worker(0).terminate(Duration::from_secs(30)).await.unwrap();
    let event = campus.post("member.updated", &member).await;
    let mut walk = Walk::of("deploy/runbooks/scaling-workers.md");
    let look = walk.next(shell).await;
    assert!(look[0].stdout.to_lowercase().contains("no worker"), "{look:#?}");
    walk.end();
    system.start_again("worker", 0).await;
    assert_eq!(campus.end_of(&event).await["status"], "processed");
}

/// A standby that lacks what was committed last has taken over.
async fn behind(campus: &CampusUnderTest<'_>, shell: &Shell) {
    let system = campus.system;
    let member = system.core.member_id(campus.church_id(), 2).unwrap();
    let name = campus.member(&member).await["name"].clone();
    campus
        .execute(&format!(
            "UPDATE members SET name = 'As it was before' WHERE external_member_id = '{member}';
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ))
        .await;
    for kind in ["gateway", "worker", "reconciler"] {
        system.until_ready(kind, 0, SOON).await;
    }
    let mut walk = Walk::of("deploy/runbooks/postgres-failover.md");
    eventually("every program has Postgres again", SOON, async || {
        system.faithctl(&["doctor"]).await.code == Some(0)
    })
    .await;
    let look = walk.next(shell).await;
    assert_eq!(look.last().unwrap().stdout.lines().nth(2).map(str::trim), Some("f"), "{look:#?}");
    walk.next(shell).await;
    assert_eq!(campus.member(&member).await["name"], name);
    walk.next(shell).await;
    walk.end();
}

async fn before_an_upgrade(shell: &Shell) {
    let mut walk = Walk::of("deploy/upgrade.md");
    walk.next(shell).await;
    walk.end();
}
