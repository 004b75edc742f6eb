//! Cores that fail, each another way, beside each other: a campus each, and one core for all.

use std::collections::BTreeSet;

use chrono::Utc;
use core_sim::{Endpoint, Fault, FaultKind, Options};
use futures_util::future::join_all;
use harness::{Campus, TestSystem};

use super::{panels::assert_panels_show, prometheus::Prometheus};
use crate::worker::campus_under_test::CampusUnderTest;

pub(super) const ALERTS: [&str; 11] = [
    "CampusFailing",
    "CoreAway",
    "CoreAwayForLong",
    "CoreRefusesLogin",
    "CoreSlow",
    "DeadLettersGrow",
    "DeadLettersPileUp",
    "EventUnfinished",
    "EventsRetrying",
    "FilterUndecided",
    "NothingFetched",
];

/// What is wrong with a campus's core, in the order of the churches.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    /// It answers 403 for every member.
    Forbidden,
    Away,
    Slow,
    /// It refuses the account.
    Account,
    /// It fails, and little happens.
    Quiet,
    /// Its members lack what the filter asks for.
    Filter,
    /// Events speak of members that it has not.
    Unknown,
}

const WRONGS: [Wrong; 7] = [
    Wrong::Forbidden,
    Wrong::Away,
    Wrong::Slow,
    Wrong::Account,
    Wrong::Quiet,
    Wrong::Filter,
    Wrong::Unknown,
];

/// More than `EventsRetrying` bears.
const MANY: usize = 1_100;
/// More than `DeadLettersPileUp` bears.
const DEAD: usize = 120;
const AT_ONCE: usize = 50;

pub(super) async fn fail() {
    let churches = Options::churches_of(1, WRONGS.len(), 25);
    let core = Options { churches: churches.clone(), ..Options::default() };
    // What is dead is so soon, and what waits does not come round all the time.
    let builder = TestSystem::builder().core(core).variable("RETRY_DELAYS", "2s,20s");
    let system = builder.spawn().await;
    system.core.set(|settings| settings.login_limit = None);
    let mut campuses = vec![system.campus.clone()];
    for church in &churches[1..] {
        campuses.push(system.add_campus(church, &[]).await);
    }
    let prometheus = Prometheus::watching(&system).await;
    for campus in &campuses {
        // Of several logins a minute to one host the product would wait for the fifth.
        system.database.client().batch_execute("DELETE FROM core_logins").await.unwrap();
        let campus = CampusUnderTest::of(&system, campus);
        let log = campus.sync("member.updated", &member(&campus, 0)).await;
        assert_eq!(log["status"], "processed", "{log}");
    }
    let fetched = "count(worker_core_fetches_total{answer=\"member\"} > 0)";
    prometheus.until(&format!("{fetched} == {}", campuses.len())).await;
    prometheus.until_named(campuses.len()).await;
    prometheus.until_quiet(&ALERTS).await;

    let since = Utc::now();
    for (wrong, campus) in WRONGS.into_iter().zip(&campuses) {
        begin(&system, campus, wrong).await;
    }
    let of = |wrong: Wrong| Some(campuses[wrong as usize].id.as_str());
    let mut announced = prometheus
        .announces(
            since,
            &[
                ("CampusFailing", of(Wrong::Forbidden)),
                ("CampusFailing", of(Wrong::Away)),
                ("CampusFailing", of(Wrong::Account)),
                ("CoreAway", of(Wrong::Away)),
                ("CoreAwayForLong", of(Wrong::Away)),
                ("CoreRefusesLogin", of(Wrong::Account)),
                ("CoreSlow", of(Wrong::Slow)),
                ("DeadLettersGrow", None),
                ("DeadLettersPileUp", None),
                ("EventsRetrying", None),
                ("FilterUndecided", of(Wrong::Filter)),
                ("NothingFetched", of(Wrong::Quiet)),
            ],
        )
        .await;
    // A person reads a name.
    announced.retain(|(_, campus), _| campus.is_some());
    for ((alert, campus), summary) in &announced {
        let place = campuses.iter().position(|one| Some(&one.id) == campus.as_ref()).unwrap();
        assert!(summary.contains(&churches[place].name), "{alert}: {summary}");
    }

    let names: BTreeSet<&str> = churches.iter().map(|church| church.name.as_str()).collect();
    assert_panels_show(&prometheus, &names).await;

    // The oldest of what waits is hours old.
    let age = "UPDATE webhook_logs SET received_at = received_at - interval '3 hours' WHERE status = 'retrying'";
    system.database.client().batch_execute(age).await.unwrap();
    prometheus.announces(since, &[("EventUnfinished", None)]).await;
    let oldest = "max(events_oldest_unfinished_age_seconds{state=\"retrying\"}) > 3 * 3600";
    assert!(prometheus.until(oldest).await < 4.0 * 3600.0);
}

fn member(campus: &CampusUnderTest<'_>, row: u64) -> String {
    campus.system.core.member_id(campus.church_id(), row).unwrap()
}

/// Makes it go wrong, and posts the events that notice.
async fn begin(system: &TestSystem, campus: &Campus, wrong: Wrong) {
    let campus = &CampusUnderTest::of(system, campus);
    let fault = |kind| {
        let fault = Fault::everywhere(kind).at(Endpoint::Member).of_church(campus.church_id());
        system.core.add_fault(fault);
    };
    let failing = |status| FaultKind::Status { status, retry_after: None };
    let events = match wrong {
        Wrong::Forbidden => {
            fault(failing(403));
            20
        }
        Wrong::Away => {
            fault(FaultKind::Reset);
            MANY
        }
        Wrong::Slow => {
            fault(FaultKind::Latency { ms: 4_000, jitter_ms: 0, stale: false });
            25
        }
        Wrong::Account => {
            let set = ["campus", "set", &campus.id, "--api-password-stdin"];
            system.database.client().batch_execute("DELETE FROM core_logins").await.unwrap();
            system.faithctl_with_input(&set, b"not the password\n").await.success();
            20
        }
        Wrong::Quiet => {
            fault(failing(500));
            2
        }
        Wrong::Filter => {
            let filter = format!(
                "UPDATE sync_configs SET filter_mode = 'include',
                     filter_rules = '[{{\"field\": \"member_status\", \"operator\": \"equals\", \"value\": \"Member\"}}]'
                 WHERE campus_id = '{}'",
                campus.id
            );
            campus.execute(&filter).await;
            fault(FaultKind::Rewritten {
                set: serde_json::Map::new(),
                remove: vec!["member_status".to_owned()],
            });
            3
        }
        Wrong::Unknown => DEAD,
    };
    let members: Vec<String> = (0..events)
        .map(|number| match wrong {
            Wrong::Unknown => format!("nobody-{number}"),
            _ => member(campus, number as u64 % 25),
        })
        .collect();
    for some in members.chunks(AT_ONCE) {
        join_all(some.iter().map(|member| campus.post("member.updated", member))).await;
    }
}
