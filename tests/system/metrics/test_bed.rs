//! The programs, made to show every metric that they have.

use std::{collections::BTreeMap, time::Duration};

use core_sim::{Options, WebhookBody};
use harness::{
    proxy::Mode,
    {SIGNATURE_HEADER, TestSystem, WEBHOOK_PATH, eventually},
};

use super::{
    exposition::families,
    page::{Family, Page},
};

const SOON: Duration = Duration::from_mins(1);
const PROGRAMS: [&str; 3] = ["gateway", "worker", "reconciler"];

/// Makes the campus so old that it is due; gateways are told of it where a secret is set.
const OLD: &str = "UPDATE sync_configs SET scheduled_from = now() - interval '10 days',
                       webhook_secret_set_at = now() - interval '100 days',
                       webhook_secret_sealed = webhook_secret_sealed";

async fn shown(system: &TestSystem, program: &str) -> String {
    let admin = system.admin_url(program, 0);
    reqwest::get(format!("{admin}/metrics")).await.unwrap().text().await.unwrap()
}

/// The value of the series that begins so.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(series))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Accepted, refused, done and dead events, and a night.
async fn play() -> TestSystem {
    let core = Options { churches: Options::churches_of(1, 1, 20), ..Options::default() };
    let builder = TestSystem::builder().reconcilers(1).core(core);
    let system = builder.variable("RETRY_DELAYS", "1s").spawn().await;
    for program in PROGRAMS {
        let at_start = families(&shown(&system, program).await).len();
        assert!(at_start >= 10, "{program} shows {at_start} families from the start");
    }
    system.database.client().batch_execute(OLD).await.unwrap();
    let member = eventually("a night brings members", SOON, async || {
        let rows = system.database.rows("SELECT external_member_id FROM members", &[]).await;
        rows.first().map(|row| row["external_member_id"].as_str().unwrap().to_owned())
    })
    .await;
    let event =
        |member: &str| WebhookBody::new("member.updated", &system.campus.core_church_id, member);
    assert_eq!(system.post(&system.campus, &event(&member)).await.status, 202);
    assert_eq!(system.post(&system.campus, &event("nobody")).await.status, 202);
    let body = event(&member).to_bytes();
    let refused = system.post_raw(WEBHOOK_PATH, &[(SIGNATURE_HEADER, b"wrong")], &body).await;
    assert_eq!(refused.status, 401);
    system
}

#[tokio::test]
async fn every_metric_stands_on_the_page_and_every_one_on_the_page_is_shown() {
    let system = play().await;
    let page = Page::read();
    eventually("all metrics of the page are shown", SOON, async || {
        let mut all: BTreeMap<String, Family> = BTreeMap::new();
        for program in PROGRAMS {
            for (name, family) in families(&shown(&system, program).await) {
                let of_all = all.entry(name.clone()).or_insert_with(|| family.clone());
                assert_eq!(of_all.kind, family.kind, "{name}");
                of_all.labels.extend(family.labels);
            }
        }
        for (name, family) in &all {
            let on_page = page.families.get(name);
            let on_page = on_page.unwrap_or_else(|| panic!("{name} is missing in metrics.md"));
            assert_eq!(on_page.kind, family.kind, "{name}");
            let more: Vec<_> = family.labels.difference(&on_page.labels).collect();
            assert!(more.is_empty(), "{name} has labels that the page does not know: {more:?}");
        }
        let missing: Vec<_> = page
            .families
            .iter()
            .filter(|(name, family)| all.get(*name) != Some(family))
            .map(|(name, _)| name.as_str())
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("not shown as written: {missing:?}")) }
    })
    .await;

    let worker = eventually("the dead letter is counted", SOON, async || {
        let worker = shown(&system, "worker").await;
        let open = r#"worker_dead_letters{cause="member_not_found",status="open""#;
        if value(&worker, open) == Some(1.0) { Ok(worker) } else { Err(worker) }
    })
    .await;
    let campus = &system.campus.id;
    for (series, expected) in [
        (r#"worker_dead_letters_collected_total{cause="member_not_found""#.to_owned(), 1.0),
        (format!(r#"worker_core_fetches_total{{answer="member",campus="{campus}""#), 1.0),
        (format!(r#"worker_core_fetches_total{{answer="not_found",campus="{campus}""#), 2.0),
        (format!(r#"worker_core_breaker_open{{campus="{campus}""#), 0.0),
        (r#"worker_events_settled_total{outcome="done""#.to_owned(), 1.0),
        (r#"worker_events_ended_total{status="processed""#.to_owned(), 1.0),
        (r#"worker_events_ended_total{status="dead""#.to_owned(), 1.0),
        (r#"worker_events_ended_total{status="stale""#.to_owned(), 0.0),
        (r#"worker_failures_total{cause="member_not_found",kind="refusal""#.to_owned(), 2.0),
        (r#"queue_consumers{queue="member-events.work""#.to_owned(), 1.0),
        ("worker_event_attempts_count".to_owned(), 2.0),
        ("worker_event_attempts_sum".to_owned(), 3.0),
        ("worker_backlog_untaken_seconds".to_owned(), 0.0),
        ("worker_ready".to_owned(), 1.0),
    ] {
        assert_eq!(value(&worker, &series), Some(expected), "{series}: {worker}");
    }
    assert!(value(&worker, "worker_last_taken_event_age_seconds") < Some(60.0), "{worker}");

    let gateway = shown(&system, "gateway").await;
    let refused =
        format!(r#"gateway_campus_refusals_total{{campus="{campus}",reason="invalid_signature""#);
    assert_eq!(value(&gateway, &refused), Some(1.0), "{gateway}");
    let age = value(&gateway, &format!(r#"gateway_webhook_secret_age_seconds{{campus="{campus}""#));
    assert!(age > Some(90.0 * 86400.0), "{gateway}");
    let dead = r#"queue_messages{queue="member-events.dead""#;
    assert_eq!(value(&gateway, dead), Some(0.0), "{gateway}");
}

#[tokio::test]
async fn a_backlog_that_nobody_takes_is_seen_by_the_gateway() {
    let system = TestSystem::builder().workers(0).spawn().await;
    let event = WebhookBody::new("member.updated", &system.campus.core_church_id, "m-1");
    for _ in 0..3 {
        assert_eq!(system.post(&system.campus, &event).await.status, 202);
    }
    eventually("the gateway tells of the backlog", SOON, async || {
        let gateway = shown(&system, "gateway").await;
        value(&gateway, r#"queue_messages{queue="member-events.work""#) == Some(3.0)
            && value(&gateway, r#"queue_consumers{queue="member-events.work""#) == Some(0.0)
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_not_told() {
    let system = TestSystem::builder().proxied().spawn().await;
    let depth = r#"queue_messages{queue="member-events.work""#;
    let letters = r#"worker_dead_letters{cause="poison",status="open""#;
    eventually("depths and letters are told", SOON, async || {
        let worker = shown(&system, "worker").await;
        value(&worker, depth) == Some(0.0) && value(&worker, letters) == Some(0.0)
    })
    .await;
    system.proxies().worker_to_rabbitmq.set(Mode::BlackHole);
    eventually("the depth is not told any more", 2 * SOON, async || {
        let worker = shown(&system, "worker").await;
        value(&worker, depth).is_none() && value(&worker, "worker_ready") == Some(0.0)
    })
    .await;
}
