//! The trace of a reconciliation run.

use core_sim::Options;
use harness::collector::{Collector, Kind};
use serde_json::json;

use super::{assert_child, assert_silent, only, outline, trace_with, traced};

const RUN: &str = "reconcile campus";

#[tokio::test]
async fn a_run_is_a_trace_with_its_pages_its_questions_and_what_it_wrote() {
    let collector = Collector::start().await.unwrap();
    let churches = Options::churches_of(1, 2, 30);
    let core = Options { churches, ..Options::default() };
    let system = traced(&collector).gateways(0).workers(0).core(core).spawn().await;
    let arguments = ["--once", "--campus", &system.campus.id];
    system.reconcile(&arguments).await.success();
    // Somebody has changed a row: only its id can tell.
    let statement = "UPDATE members SET name = 'Somebody else' WHERE id = (SELECT min(id::text)::uuid FROM members)";
    system.database.client().batch_execute(statement).await.unwrap();
    system.reconcile(&arguments).await.success();

    let mut rows = system.database.rows("SELECT * FROM sync_logs ORDER BY started_at", &[]).await;
    let (second, first) = (rows.pop().unwrap(), rows.pop().unwrap());
    let spans = collector.spans();
    for (row, fetch) in [(&first, "POST /api/auth/login"), (&second, "GET /api/members/{id}")] {
        let run = spans.iter().find(|span| span.get("faithtracker.run.id") == &row["id"]);
        let run = run.unwrap_or_else(|| panic!("{row}: {:#?}", outline(&spans)));
        assert_eq!((run.service.as_str(), run.name.as_str()), ("reconciler", RUN));
        assert_eq!((&run.parent, run.get("faithtracker.outcome")), (&None, &json!("success")));
        assert_eq!(run.get("faithtracker.campus.id"), &json!(system.campus.id));
        assert_eq!(run.get("faithtracker.members.fetched"), 30);

        // The command has ended, and with it every span is here.
        let spans = trace_with(&collector, &run.trace_id, |_| true).await;
        let list = spans.iter().find(|span| span.name == "GET /api/members/").unwrap();
        let page = spans.iter().find(|span| list.parent.as_ref() == Some(&span.span_id)).unwrap();
        assert_eq!((page.name.as_str(), list.kind), ("read page", Kind::Client));
        assert_child(page, run);
        assert_child(only(&spans, "compare"), run);
        let apply = only(&spans, "apply");
        assert_child(apply, run);
        assert_eq!(apply.get("db.system.name"), "postgresql");
        assert!(spans.iter().any(|span| span.name == fetch), "{:#?}", outline(&spans));
    }
    assert_silent(&collector, &["Somebody else", "Bearer"]);
}
