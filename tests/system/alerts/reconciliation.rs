//! Campuses that are not reconciled as they should be, and no reconciler at all.

use chrono::Utc;
use core_sim::{Endpoint, Fault, FaultKind, Options, Webhook};
use harness::TestSystem;

use super::prometheus::Prometheus;

pub(super) const ALERTS: [&str; 5] = [
    "HousekeepingOverdue",
    "MembersUndecided",
    "NoReconciler",
    "ReconciliationHeld",
    "ReconciliationOverdue",
];

/// The last success was three days ago.
const OVERDUE: &str = "
    UPDATE sync_logs SET completed_at = completed_at - interval '3 days' WHERE campus_id = $1::text::uuid";

pub(super) async fn fails() {
    let churches = Options::churches_of(7, 3, 60);
    let core = Options { churches: churches.clone(), ..Options::default() };
    let system = TestSystem::builder().workers(0).reconcilers(1).core(core).spawn().await;
    let mut campuses = vec![system.campus.clone()];
    for church in &churches[1..] {
        campuses.push(system.add_campus(church, &[]).await);
    }
    let run = async |campus: usize| {
        system.reconcile(&["--once", "--campus", &campuses[campus].id]).await.code
    };
    for campus in 0..campuses.len() {
        assert_eq!(run(campus).await, Some(0));
    }
    let prometheus = Prometheus::watching(&system).await;
    prometheus.until("reconciler_housekeeping_last_success_timestamp_seconds > 0").await;
    prometheus.until_named(campuses.len()).await;
    prometheus.until_quiet(&ALERTS).await;

    let since = Utc::now();
    let [partial, held, overdue] = [0, 1, 2].map(|campus: usize| campuses[campus].id.as_str());
    let member = |campus: usize, row| system.core.member_id(&churches[campus].id, row).unwrap();
    let bad_row = Fault::everywhere(FaultKind::BadRow).of_member(member(0, 20));
    system.core.add_fault(bad_row.of_church(churches[0].id.as_str()));
    let listed = system.core.listed(&churches[1].id).unwrap();
    for row in 0..listed.min(40) {
        system.core.delete(&member(1, row), Webhook::Silent).unwrap();
    }
    let away = FaultKind::Status { status: 500, retry_after: None };
    let fault = Fault::everywhere(away).at(Endpoint::List).of_church(churches[2].id.as_str());
    system.core.add_fault(fault);
    system.database.client().execute(OVERDUE, &[&overdue]).await.unwrap();
    assert_eq!(tokio::join!(run(0), run(1), run(2)), (Some(5), Some(4), Some(1)));
    let announced = prometheus
        .announces(
            since,
            &[
                ("MembersUndecided", Some(partial)),
                ("ReconciliationHeld", Some(held)),
                ("ReconciliationOverdue", Some(overdue)),
            ],
        )
        .await;
    for ((alert, campus), summary) in announced.iter().filter(|((_, campus), _)| campus.is_some()) {
        let place = campuses.iter().position(|one| Some(&one.id) == campus.as_ref()).unwrap();
        assert!(summary.contains(&churches[place].name), "{alert}: {summary}");
    }

    // The only one is started again, and does not reach Postgres.
    let since = Utc::now();
    let reconciler = system.reconciler(0);
    reconciler.kill();
    reconciler.wait().await;
    reconciler.set_variable("DATABASE_URL", "postgres://faith_reconciler:x@127.0.0.1:1/none");
    reconciler.start().unwrap();
    prometheus.announces(since, &[("NoReconciler", None), ("HousekeepingOverdue", None)]).await;
}
