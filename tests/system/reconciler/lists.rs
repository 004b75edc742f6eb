//! Lists that lie, break off or stay silent: nobody is archived for them.

use std::time::Duration;

use core_sim::{Endpoint, Fault, FaultKind, Options, SUPER_ADMIN_EMAIL};
use harness::eventually;
use serde_json::json;

use super::night::{Night, assert_failed, counts};

/// Runs with a fault of the list and asserts that the run failed so and wrote nothing.
async fn fails(night: &Night, kind: FaultKind, what: &str) {
    let before = night.versions().await;
    let fault = night.system.core.add_fault(Fault::everywhere(kind).at(Endpoint::List));
    assert_failed(&night.ends(1).await, what);
    assert_eq!(night.versions().await, before);
    night.system.core.remove_fault(fault);
}

#[tokio::test]
async fn an_empty_list_of_a_church_that_has_members_is_an_error() {
    let night = Night::imported(40).await;
    fails(&night, FaultKind::ShortList { rows: 0 }, "the core's list is empty").await;
    night.count_pages();
    fails(&night, FaultKind::ShortList { rows: 0 }, "the core's list is empty").await;
    assert_eq!(night.system.core.requests(Endpoint::Login), 1);
}

#[tokio::test]
async fn an_empty_list_of_a_church_without_members_is_fine() {
    let night = Night::new(0).await;
    assert_eq!(counts(&night.pass().await), [0, 0, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_list_of_other_churches_only_is_an_error() {
    let night = Night::imported(40).await;
    fails(&night, FaultKind::WrongChurch { as_church_id: None }, "none of them is of this campus")
        .await;
}

#[tokio::test]
async fn broken_pages_are_errors_that_name_page_and_campus() {
    let night = Night::imported(30).await;
    let page = format!("of the member list of campus {}", night.system.campus.id);
    fails(&night, FaultKind::TruncatedJson, &page).await;
    fails(&night, FaultKind::UnknownShape, &page).await;
    fails(&night, FaultKind::Status { status: 500, retry_after: None }, &page).await;
    fails(&night, FaultKind::Status { status: 403, retry_after: None }, &page).await;
}

#[tokio::test]
async fn a_token_that_is_refused_for_ever_in_the_middle_ends_the_run() {
    let night = Night::imported(300).await;
    let before = night.versions().await;
    // The second page is refused, whatever the token; the first one came.
    let late = FaultKind::Latency { ms: 3000, jitter_ms: 0, stale: false };
    night.system.core.add_fault(Fault::everywhere(late).at(Endpoint::List).with_times(1));
    let refused = async {
        let asked = night.system.core.requests(Endpoint::List);
        eventually("the first page is asked for", Duration::from_secs(30), async || {
            night.system.core.requests(Endpoint::List) > asked
        })
        .await;
        let refused = FaultKind::Status { status: 401, retry_after: None };
        night.system.core.add_fault(Fault::everywhere(refused).at(Endpoint::List));
    };
    let (run, ()) = tokio::join!(night.ends(1), refused);
    assert_failed(&run, &format!("page 2 of the member list of campus {}", night.system.campus.id));
    assert_eq!(night.versions().await, before);
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed_and_the_error_says_so() {
    let night = Night::imported(30).await;
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = format!("http://{}/api/members/", elsewhere.local_addr().unwrap());
    let kind = FaultKind::Redirect { location };
    fails(&night, kind, "redirect to another host").await;
    let asked = tokio::time::timeout(Duration::ZERO, elsewhere.accept()).await;
    assert!(asked.is_err(), "the token went to another host: {asked:?}");
}

#[tokio::test]
async fn half_a_list_archives_nobody() {
    let night = Night::imported(300).await;
    let active = night.active().await;
    let before = night.versions().await;
    night.fault(FaultKind::ShortList { rows: 150 });
    // A bare array cannot tell: everybody who is missing is asked for, and there. A list that lacks so
    // many was cut short, and who else is missing nobody knows.
    let run = night.ends(5).await;
    assert_eq!((counts(&run)[3], counts(&run)[6]), (0, 0), "{run}");
    let missing = run["members_undecided"].as_i64().unwrap();
    assert!((100..=150).contains(&missing), "{run}");
    assert_eq!(night.active().await, active);
    let members = |rows: &[serde_json::Value]| {
        rows.iter().filter(|row| row["of"] == "members").cloned().collect::<Vec<_>>()
    };
    assert_eq!(members(&night.versions().await), members(&before));
    // The other shape says how many there should be.
    night.count_pages();
    assert_failed(&night.ends(1).await, "the core's list ended after 150 rows");
}

/// Reconciles with a list that lacks members: few may be missing, or many, and then it was cut short.
async fn cut_short(night: &Night) -> serde_json::Value {
    let finished = night.run(&[]).await;
    assert!(matches!(finished.code, Some(0 | 5)), "{finished:?}");
    night.last_run().await
}

#[tokio::test]
async fn overlapping_shuffled_and_short_pages_archive_and_double_nobody() {
    let night = Night::new(900).await;
    night.fault(FaultKind::Shuffled);
    let run = night.pass().await;
    assert!(counts(&run)[0] < 900, "rows are missing: {run}");
    night.system.core.clear_faults();
    night.system.core.set(|settings| {
        settings.page_shift = 30;
        settings.page_cap = Some(70);
    });
    cut_short(&night).await;
    night.system.core.set(|settings| settings.page_shift = 0);
    night.pass().await;
    night.assert_equal().await;
    night.fault(FaultKind::Shuffled);
    let run = cut_short(&night).await;
    assert_eq!(counts(&run)[1..5], [0, 0, 0, 0], "{run}");
    night.count_pages();
    let run = cut_short(&night).await;
    assert_eq!(counts(&run)[1..5], [0, 0, 0, 0], "{run}");
    night.assert_equal().await;
}

#[tokio::test]
async fn a_core_that_answers_404_to_every_member_archives_nobody() {
    let night = Night::imported(100).await;
    let before = night.versions().await;
    night.fault(FaultKind::ShortList { rows: 50 });
    for status in [404, 410, 403] {
        let kind = FaultKind::Status { status, retry_after: None };
        let fault = night.system.core.add_fault(Fault::everywhere(kind).at(Endpoint::Member));
        assert_failed(&night.ends(1).await, "does not know members that it has just listed");
        night.system.core.remove_fault(fault);
    }
    assert_eq!(night.versions().await, before);
}

#[tokio::test]
async fn a_core_that_loses_its_members_during_the_run_archives_nobody() {
    let night = Night::imported(100).await;
    let before = night.active().await;
    // The first canaries are well; then one who is gone indeed is asked for, slowly, and meanwhile
    // everybody is gone.
    let query = "SELECT external_member_id AS id FROM members WHERE NOT is_archived LIMIT 1";
    let missing = night.system.database.rows(query, &[]).await[0]["id"].clone();
    let missing = missing.as_str().unwrap();
    night.purge(missing);
    let slow = FaultKind::Latency { ms: 2000, jitter_ms: 0, stale: false };
    night.system.core.add_fault(Fault::everywhere(slow).of_member(missing).with_times(1));
    let gone = async {
        eventually("the missing member is asked for", Duration::from_secs(30), async || {
            night.system.core.member_requests(missing) > 0
        })
        .await;
        let gone = FaultKind::Status { status: 404, retry_after: None };
        night.system.core.add_fault(Fault::everywhere(gone).at(Endpoint::Member));
    };
    let (run, ()) = tokio::join!(night.ends(1), gone);
    assert_failed(&run, "does not know members that it has just listed");
    assert_eq!(night.active().await, before);
}

#[tokio::test]
async fn a_super_admins_list_brings_only_this_churchs_members() {
    let night = Night::new(80).await;
    let arguments = ["campus", "set", &night.system.campus.id, "--api-email", SUPER_ADMIN_EMAIL];
    night.system.faithctl(&arguments).await.success();
    let finished = night.run(&["--json"]).await;
    let report = finished.json();
    assert!(report["foreign_rows"].as_u64() > Some(50), "{report}");
    night.assert_equal().await;
    night.count_pages();
    let run = night.pass().await;
    assert_eq!(counts(&run)[1..5], [0, 0, 0, 0], "{run}");
}

#[tokio::test]
async fn a_token_that_dies_during_the_scan_costs_one_login() {
    let night = Night::new(700).await;
    night.system.faithctl(&["campus", "test-connection", &night.system.campus.id]).await.success();
    night.pass().await;
    night.execute("UPDATE core_tokens SET obtained_at = obtained_at - interval '2 minutes'").await;
    night.system.core.reset_counters();
    let refused = FaultKind::Status { status: 401, retry_after: None };
    night.system.core.add_fault(Fault::everywhere(refused).at(Endpoint::List).with_times(1));
    night.pass().await;
    assert_eq!(night.system.core.requests(Endpoint::Login), 1);
}

#[tokio::test]
async fn a_token_that_expires_during_the_scan_is_renewed_in_the_middle_of_it() {
    let night = Night::imported(1200).await;
    night.execute("UPDATE core_tokens SET obtained_at = obtained_at - interval '2 minutes'").await;
    night.system.core.reset_counters();
    let slow = FaultKind::Latency { ms: 300, jitter_ms: 0, stale: false };
    night.fault(slow);
    let expired = async {
        eventually("the second page is asked for", Duration::from_secs(30), async || {
            night.system.core.requests(Endpoint::List) >= 2
        })
        .await;
        night.system.core.revoke_tokens();
    };
    let (run, ()) = tokio::join!(night.pass(), expired);
    let [fetched, .., unchanged, _] = counts(&run)[..] else { panic!("{run}") };
    assert!(fetched > 1000 && fetched == unchanged, "{run}");
    let counters = night.system.core.counters();
    assert!(counters.answered(Endpoint::List, 401) > 0, "{counters:?}");
    assert_eq!(counters.requests(Endpoint::Login), 1, "{counters:?}");
}

#[tokio::test]
async fn too_many_requests_are_waited_for() {
    let night = Night::new(50).await;
    let limited = FaultKind::RateLimited { retry_after: Some(2), plain: false };
    night.system.core.add_fault(Fault::everywhere(limited).at(Endpoint::List).with_times(2));
    let run = night.pass().await;
    assert_eq!(run["status"], "success");
    assert!(run["duration_seconds"].as_f64() >= Some(4.0), "as long as the core says: {run}");
    assert_eq!(night.system.core.counters().answered(Endpoint::List, 429), 2);
    night.assert_equal().await;
}

#[tokio::test]
async fn a_missing_slash_is_followed_on_the_same_host() {
    let churches = Options::churches_of(1, 1, 30);
    let night = Night::of(Options { churches, ..Options::default() }).await;
    night.execute("UPDATE sync_configs SET api_members_path = '/members'").await;
    assert_eq!(night.pass().await["status"], json!("success"));
    night.assert_equal().await;
}
