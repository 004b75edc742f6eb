//! A dead letter that is replayed: found from the trace that it began in, and from the replay's own.

use core_sim::WebhookBody;
use harness::{
    collector::{Collector, Kind},
    eventually,
};
use serde_json::{Value, json};

use super::{SOON, assert_child, count, only, outline, trace_with, traced};

const PROCESS: &str = "process member-events:member-events.work";
const COLLECT: &str = "process member-events:member-events.dead";

#[tokio::test]
async fn a_replay_is_found_from_the_origins_trace_and_from_its_own() {
    let collector = Collector::start().await.unwrap();
    let system = traced(&collector).variable("RETRY_DELAYS", "100ms").spawn().await;
    let church = &system.campus.core_church_id;
    let body = WebhookBody::new("member.updated", church, "late");
    let event = system.post(&system.campus, &body).await.event_id();
    let letter = eventually("the event is a dead letter", SOON, async || {
        system.database.rows("SELECT * FROM dead_letters", &[]).await.pop()
    })
    .await;
    let id = letter["trace_id"].as_str().unwrap();
    let spans = trace_with(&collector, id, |spans| count(spans, COLLECT) == 1).await;
    let dead = only(&spans, "send member-events:member-events.dead");
    let last = spans.iter().find(|span| span.get("faithtracker.outcome") == "dead").unwrap();
    assert_child(dead, last);
    assert_child(only(&spans, COLLECT), dead);

    let fields = json!({"id": "late", "church_id": church, "full_name": "Late"});
    system.core.put(church, "late", fields).unwrap();
    let done = system.faithctl(&["dead-letters", "replay", "--yes", "--json"]).await.json();
    assert_eq!(done["replayed"], 1);
    eventually("the letter is resolved", SOON, async || {
        let query = "SELECT * FROM webhook_logs WHERE event_id = $1 AND status = 'processed'";
        let rows: Vec<Value> = system.database.rows(query, &[&event]).await;
        rows.into_iter().any(|row| row["trace_id"] == letter["trace_id"])
    })
    .await;

    // From the trace that it began in: what was sent for the operator, and what became of it.
    let spans = trace_with(&collector, id, |spans| count(spans, PROCESS) == 3).await;
    let resumed = only(&spans, "resume dead letter");
    assert_eq!(resumed.service, "worker");
    let sent = spans
        .iter()
        .find(|span| span.parent.as_ref() == Some(&resumed.span_id) && span.kind == Kind::Producer)
        .unwrap_or_else(|| panic!("{:#?}", outline(&spans)));
    assert_child(sent, resumed);
    let again = spans.iter().find(|span| span.parent.as_ref() == Some(&sent.span_id)).unwrap();
    assert_eq!(
        (again.name.as_str(), again.get("faithtracker.outcome")),
        (PROCESS, &json!("processed"))
    );

    // From the replay's own: each letter, linked with the trace that it goes on in.
    let all = eventually("the run's own span has ended", SOON, async || {
        let all = collector.spans();
        (count(&all, "replay dead letters") == 1).then_some(all)
    })
    .await;
    let run = only(&all, "replay dead letters");
    assert_eq!((run.service.as_str(), &run.parent), ("worker", &None));
    assert_ne!(run.trace_id, id);
    let replayed = only(&all, "replay dead letter");
    assert_child(replayed, run);
    assert_eq!(replayed.get("messaging.message.id"), &letter["id"]);
    assert!(replayed.is_linked_with(resumed) && resumed.is_linked_with(replayed), "{all:#?}");
}
