//! The way of an event, from the request to the commit.

use core_sim::{Endpoint, Fault, FaultKind, Options, Webhook, WebhookBody};
use harness::{
    collector::{Collector, Kind},
    {SIGNATURE_HEADER, TestSystem, WEBHOOK_PATH, eventually},
};
use serde_json::{Value, json};

use super::{SOON, assert_child, assert_silent, count, only, outline, trace_with, traced};

const SEND: &str = "send member-events:member-events.work";
const PROCESS: &str = "process member-events:member-events.work";
const FETCH: &str = "GET /api/members/{id}";
const LOGIN: &str = "POST /api/auth/login";
const REQUEST: &str = "POST /api/sync/webhook";

/// The log row of an event at its end.
async fn end_of(system: &TestSystem, event: &str) -> Value {
    eventually("the event has come to its end", SOON, async || {
        let query = "SELECT * FROM webhook_logs WHERE event_id = $1 AND status <> 'retrying'";
        system.database.rows(query, &[&event]).await.pop()
    })
    .await
}

fn create(system: &TestSystem) -> String {
    let fields = json!({"full_name": "SUMARNI NINGSIH", "phone_whatsapp": "0812-3456-7890"});
    let church = &system.campus.core_church_id;
    let created = system.core.create(church, fields, Webhook::Silent).unwrap();
    created.member.text("id").unwrap().to_owned()
}

#[tokio::test]
async fn an_accepted_event_is_one_trace_from_the_request_to_the_commit() {
    let collector = Collector::start().await.unwrap();
    let options = Options::default();
    let church = options.churches[0].clone();
    let system = traced(&collector)
        .core(options)
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer key-of-the-collector")
        .variable("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        .spawn()
        .await;
    let member = create(&system);
    let body = WebhookBody::new("member.created", &system.campus.core_church_id, &member);
    let event = system.post(&system.campus, &body).await.event_id();
    let log = end_of(&system, &event).await;
    let id = log["trace_id"].as_str().unwrap();
    let spans = trace_with(&collector, id, |spans| {
        count(spans, PROCESS) == 1 && count(spans, REQUEST) == 1 && count(spans, SEND) == 1
    })
    .await;

    let request = only(&spans, REQUEST);
    assert_eq!((request.service.as_str(), request.kind), ("gateway", Kind::Server));
    assert_eq!((&request.parent, request.links.len(), request.is_error), (&None, 0, false));
    assert_eq!(request.resource["deployment.environment.name"], "test");
    assert_eq!(request.get("http.request.method"), "POST");
    assert_eq!(request.get("http.route"), WEBHOOK_PATH);
    assert_eq!(request.get("url.path"), WEBHOOK_PATH);
    assert_eq!(request.get("http.response.status_code"), 202);
    assert_eq!(request.get("server.address"), "127.0.0.1");
    assert_eq!(request.get("faithtracker.campus.id"), &json!(system.campus.id));
    assert_eq!(request.get("faithtracker.event.id"), &json!(event));
    assert_eq!(request.get("faithtracker.event.type"), "member.created");

    let send = only(&spans, SEND);
    assert_child(send, request);
    assert_eq!((send.service.as_str(), send.kind), ("gateway", Kind::Producer));
    let process = only(&spans, PROCESS);
    assert_child(process, send);
    assert_eq!((process.service.as_str(), process.kind), ("worker", Kind::Consumer));
    assert!(process.is_linked_with(send), "{process:#?}");
    for (span, operation) in [(send, "send"), (process, "process")] {
        assert_eq!(span.get("messaging.system"), "rabbitmq");
        assert_eq!(span.get("messaging.operation.type"), operation);
        assert_eq!(span.get("messaging.operation.name"), operation);
        assert_eq!(span.get("messaging.destination.name"), "member-events:member-events.work");
        assert_eq!(span.get("messaging.message.id"), &log["id"]);
        assert!(!span.is_error, "{span:#?}");
    }
    assert_eq!(process.get("faithtracker.attempt"), 1);
    assert_eq!(process.get("faithtracker.outcome"), "processed");

    let fetch = only(&spans, FETCH);
    assert_child(fetch, process);
    let token = only(&spans, "obtain core token");
    assert_child(token, process);
    let login = only(&spans, LOGIN);
    assert_child(login, token);
    let port: u16 = system.core_url().rsplit(':').next().unwrap().parse().unwrap();
    for (span, template) in [(fetch, "/api/members/{id}"), (login, "/api/auth/login")] {
        assert_eq!((span.service.as_str(), span.kind), ("worker", Kind::Client));
        assert_eq!(span.get("url.template"), template);
        assert_eq!(span.get("http.response.status_code"), 200);
        assert_eq!(span.get("server.address"), "127.0.0.1");
        assert_eq!(span.get("server.port"), port);
    }
    assert_eq!(fetch.get("http.request.method"), "GET");

    let commit = only(&spans, "COMMIT");
    assert_child(commit, process);
    assert_eq!((commit.kind, commit.get("db.system.name")), (Kind::Client, &json!("postgresql")));
    let batch = only(&spans, "commit batch");
    assert_child(batch, commit);
    assert!(batch.is_linked_with(commit) && commit.is_linked_with(batch), "{batch:#?}");
    assert_eq!(batch.get("db.operation.batch.size"), 1);
    assert!(only(&spans, "admit").is_linked_with(process));

    assert_eq!(collector.authorizations()[0], "Bearer key-of-the-collector");
    assert_silent(
        &collector,
        &[
            &member,
            "SUMARNI",
            "NINGSIH",
            "3456",
            &church.password,
            &church.email,
            &system.campus.secret,
        ],
    );
}

#[tokio::test]
async fn the_way_through_a_delay_queue_stays_in_the_trace() {
    let collector = Collector::start().await.unwrap();
    let system = traced(&collector).variable("RETRY_DELAYS", "200ms").spawn().await;
    let member = create(&system);
    let fault = FaultKind::Status { status: 404, retry_after: None };
    let fault = Fault { times: Some(1), ..Fault::everywhere(fault) };
    system.core.add_fault(fault.at(Endpoint::Member).of_member(&member));
    let body = WebhookBody::new("member.updated", &system.campus.core_church_id, &member);
    let event = system.post(&system.campus, &body).await.event_id();
    let log = end_of(&system, &event).await;
    assert_eq!((&log["status"], &log["attempts"]), (&json!("processed"), &json!(2)), "{log}");
    let id = log["trace_id"].as_str().unwrap();
    let spans = trace_with(&collector, id, |spans| count(spans, PROCESS) == 2).await;

    let delay = only(&spans, "send member-events:member-events.retry.200ms");
    assert_eq!((delay.service.as_str(), delay.kind), ("worker", Kind::Producer));
    let mut attempts: Vec<_> = spans.iter().filter(|span| span.name == PROCESS).collect();
    attempts.sort_by_key(|span| span.began);
    let [first, second] = attempts[..] else { panic!("{:#?}", outline(&spans)) };
    assert_child(delay, first);
    assert_child(second, delay);
    assert!(second.is_linked_with(delay));
    assert_eq!((first.get("faithtracker.outcome"), first.is_error), (&json!("retrying"), true));
    assert_eq!(first.get("error.type"), "member_not_found");
    assert_eq!(
        (first.get("faithtracker.attempt"), second.get("faithtracker.attempt")),
        (&json!(1), &json!(2))
    );
    assert!(!second.is_error, "{second:#?}");
    let refused = spans.iter().find(|span| span.get("http.response.status_code") == 404).unwrap();
    assert_child(refused, first);
    assert_eq!((refused.get("error.type"), refused.is_error), (&json!("404"), true));
    assert_silent(&collector, &[&member, "SUMARNI"]);
}

#[tokio::test]
async fn a_senders_own_trace_is_linked_and_not_continued() {
    let collector = Collector::start().await.unwrap();
    let system = traced(&collector).spawn().await;
    let sender = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let body = WebhookBody::test(&system.campus.core_church_id).to_bytes();
    let signature = core_sim::sign(&system.campus.secret, &body);
    let headers: [(&str, &[u8]); 2] =
        [(SIGNATURE_HEADER, signature.as_bytes()), ("traceparent", sender.as_bytes())];
    assert_eq!(system.post_raw(WEBHOOK_PATH, &headers, &body).await.status, 200);
    let request = eventually("the request's span is exported", SOON, async || {
        collector.spans().into_iter().find(|span| span.name == REQUEST)
    })
    .await;
    assert_eq!(request.parent, None);
    assert_ne!(request.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    let [link] = &request.links[..] else { panic!("{request:#?}") };
    assert_eq!(link.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(link.span_id, "00f067aa0ba902b7");
}

#[tokio::test]
async fn a_refused_signature_is_traced_to_its_row() {
    let collector = Collector::start().await.unwrap();
    let system = traced(&collector).spawn().await;
    let body = WebhookBody::new("member.updated", &system.campus.core_church_id, "m-1");
    let answer = system.post_signed("another secret", body.to_bytes()).await;
    assert_eq!(answer.status, 401);
    let log = eventually("the refusal is logged", SOON, async || {
        let query = "SELECT * FROM webhook_logs WHERE status = 'rejected'";
        system.database.rows(query, &[]).await.pop()
    })
    .await;
    let id = log["trace_id"].as_str().unwrap();
    let (send, process) =
        ("send webhook-rejections:webhook-rejections", "process webhook-rejections");
    // The answer does not wait for the confirm, so each of the three may be the last to end.
    let spans = trace_with(&collector, id, |spans| {
        [REQUEST, send, process].iter().all(|name| count(spans, name) == 1)
    })
    .await;
    let request = only(&spans, REQUEST);
    assert_eq!(request.get("http.response.status_code"), 401);
    assert_eq!(request.get("faithtracker.refusal"), "invalid_signature");
    assert_eq!(request.get("faithtracker.campus.id"), &json!(system.campus.id));
    // What the sender did wrong is no error of ours.
    assert!(!request.is_error && *request.get("error.type") == Value::Null, "{request:#?}");
    let send = only(&spans, send);
    assert_child(send, request);
    assert_child(only(&spans, process), send);
    assert_eq!(spans.len(), 3, "{:#?}", outline(&spans));
    assert_silent(&collector, &["m-1", "another secret", &system.campus.secret]);
}

#[tokio::test]
async fn events_that_share_work_are_found_from_each_other() {
    let collector = Collector::start().await.unwrap();
    let system = traced(&collector).spawn().await;
    system.worker(0).terminate(SOON).await.unwrap();
    let mut events = Vec::new();
    for member in [create(&system), create(&system)] {
        for _ in 0..3 {
            let body = WebhookBody::new("member.updated", &system.campus.core_church_id, &member);
            events.push(system.post(&system.campus, &body).await.event_id());
        }
    }
    system.start_again("worker", 0).await;
    for event in &events {
        end_of(&system, event).await;
    }
    let spans = eventually("all are processed", SOON, async || {
        let spans = collector.spans();
        (count(&spans, PROCESS) == events.len()).then_some(spans)
    })
    .await;
    let named = |name: &str| -> Vec<_> { spans.iter().filter(|span| span.name == name).collect() };
    for (work, whom) in [("admit", PROCESS), ("commit batch", "COMMIT")] {
        let mut all = 0;
        for work in named(work) {
            let whom: Vec<_> =
                named(whom).into_iter().filter(|span| span.is_linked_with(work)).collect();
            assert_eq!(work.get("db.operation.batch.size"), &json!(whom.len()), "{work:#?}");
            assert!(whom.iter().all(|span| work.is_linked_with(span)), "{work:#?}");
            all += whom.len();
        }
        assert_eq!(all, named(whom).len(), "{:#?}", outline(&spans));
    }
    // Events of one member that waited together share one read, and say so.
    let processes = named(PROCESS);
    let merged = processes.iter().filter(|span| {
        span.links.iter().any(|link| {
            link.attributes.get("faithtracker.link") == Some(&json!("merged into one read"))
        })
    });
    assert!(merged.count() > 1, "{:#?}", outline(&spans));
    assert!(named(FETCH).len() < events.len(), "{:#?}", outline(&spans));
}
