//! Nothing secret and nobody's name in what any program writes, whatever goes wrong and however
//! much is asked for.

use std::time::Duration;

use core_sim::{Endpoint, Fault, FaultKind, Options, Webhook, WebhookBody};
use harness::{
    collector::Collector,
    {Finished, Role, TestSystem, eventually},
};
use serde_json::json;

use super::SOON;

const NAME: &str = "Unwritable Sumarni";
const PHONE: &str = "0812-9876-5432";
const WRONG_PASSWORD: &str = "a-wrong-password-of-the-core";
const COLLECTOR_KEY: &str = "key-of-the-collector";
const PHOTO: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/secrecy";

/// Everything at its most talkative.
const LEVELS: &str = "debug,gateway=trace,worker=trace,reconciler=trace,faithctl=trace,queue=trace,\
    campus=trace,core_api=trace,store=trace,database=trace,runtime=trace,tokio_postgres=trace,lapin=trace,\
    hyper=trace,reqwest=trace";

/// A system that fails in every way, and what its commands wrote.
struct Talk {
    system: TestSystem,
    said: Vec<String>,
}

impl Talk {
    async fn run(&mut self, arguments: &[&str], input: &str) {
        let finished = self.system.faithctl_with_input(arguments, input.as_bytes()).await;
        self.keep(&finished);
    }

    /// What it wrote beside its data: that is for whoever asked for it.
    fn keep(&mut self, finished: &Finished) {
        self.said.push(finished.stderr.clone());
    }

    async fn post(&self, event_type: &str, member: &str) {
        let church = (self.system.campus.core_church_id.as_str(), "GKBJ");
        let data = json!({"id": member, "full_name": NAME, "phone_whatsapp": PHONE, "photo_base64": PHOTO});
        let body = WebhookBody::about_member(event_type, church, member, data.into(), None);
        self.system.post(&self.system.campus, &body).await;
        self.system.post_signed("another-secret", body.to_bytes()).await;
        self.system
            .post_signed(
                &self.system.campus.secret,
                format!("[{}]", String::from_utf8_lossy(&body.to_bytes())),
            )
            .await;
    }

    async fn until(&self, what: &str, condition: &str) {
        let query = format!("SELECT FROM webhook_logs WHERE {condition}");
        eventually(what, SOON, async || !self.system.database.rows(&query, &[]).await.is_empty())
            .await;
    }

    fn create(&self, fields: serde_json::Value) -> String {
        let church = &self.system.campus.core_church_id;
        let created = self.system.core.create(church, fields, Webhook::Silent).unwrap();
        created.member.text("id").unwrap().to_owned()
    }
}

#[tokio::test]
async fn no_program_ever_writes_a_secret_or_a_name() {
    let collector = Collector::start().await.unwrap();
    let options = Options::default();
    let church = options.churches[0].clone();
    let system = TestSystem::builder()
        .core(options)
        .reconcilers(1)
        .variable("RUST_LOG", LEVELS)
        .variable("RETRY_DELAYS", "200ms")
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .variable("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer {COLLECTOR_KEY}"))
        .spawn()
        .await;
    let campus = system.campus.id.clone();
    let mut talk = Talk { system, said: Vec::new() };
    let person = json!({"full_name": NAME, "phone_whatsapp": PHONE, "photo_base64": PHOTO, "email": "sumarni@example.org"});

    // What goes well, what is refused, and what is no event at all.
    let member = talk.create(person.clone());
    talk.post("member.created", &member).await;
    talk.until("a member is created", "status = 'processed'").await;
    talk.post("member.updated", "nobody").await;
    talk.until("an event is dead", "status = 'dead'").await;
    talk.post("member.updated", "..").await;
    talk.run(&["dead-letters", "replay", "--yes"], "").await;

    // A core that fails in every way.
    for kind in [
        FaultKind::Status { status: 500, retry_after: None },
        FaultKind::Status { status: 403, retry_after: None },
        FaultKind::TruncatedJson,
        FaultKind::CutBody,
        FaultKind::Reset,
        FaultKind::UnknownShape,
        FaultKind::WrongChurch { as_church_id: None },
    ] {
        let member = talk.create(person.clone());
        let fault = Fault::everywhere(kind).at(Endpoint::Member).of_member(&member);
        talk.system.core.add_fault(fault);
        talk.post("member.updated", &member).await;
        let failed = format!("member_id = '{member}' AND status IN ('retrying', 'dead')");
        talk.until("an attempt fails", &failed).await;
    }
    talk.system.core.clear_faults();

    // A row that Postgres refuses, quoting it.
    let check = format!("ALTER TABLE members ADD CHECK (name <> 'X{NAME}')");
    talk.system.database.client().batch_execute(&check).await.unwrap();
    let refused = talk.create(json!({"full_name": format!("X{NAME}"), "phone_whatsapp": PHONE}));
    talk.post("member.updated", &refused).await;
    talk.until("a row is refused", &format!("member_id = '{refused}' AND status = 'dead'")).await;

    // A night, commands, and a login that is refused.
    let finished = talk.system.reconcile(&["--once", "--campus", &campus]).await;
    talk.keep(&finished);
    talk.run(&["campus", "test-connection", &campus], "").await;
    talk.run(&["campus", "rotate-secret", &campus], "").await;
    talk.run(&["campus", "set", &campus, "--api-password-stdin"], &format!("{WRONG_PASSWORD}\n"))
        .await;
    talk.system.core.revoke_tokens();
    talk.post("member.updated", &member).await;
    talk.until("the login is refused", "error LIKE '%refused%' AND status = 'retrying'").await;
    let finished = talk.system.reconcile(&["--once", "--campus", &campus]).await;
    talk.keep(&finished);
    for command in
        [&["doctor"][..], &["status"], &["deliveries", "list"], &["dead-letters", "groups"]]
    {
        talk.run(command, "").await;
    }

    let programs = [talk.system.gateway(0), talk.system.worker(0), talk.system.reconciler(0)];
    for program in programs {
        program.terminate(Duration::from_secs(30)).await.unwrap();
        talk.said.push(std::fs::read_to_string(program.log()).unwrap());
    }
    talk.said.push(format!("{:?}", collector.spans()));

    let variables = talk.system.variables(Role::Worker);
    let amqp_password = variables["AMQP_URL"].split(['@', ':']).nth(2).unwrap().to_owned();
    for secret in [
        NAME,
        "Sumarni",
        PHONE,
        "98765432",
        "9876-5432",
        PHOTO,
        "secrecy",
        "sumarni@",
        WRONG_PASSWORD,
        COLLECTOR_KEY,
        "another-secret",
        "Bearer ",
        &church.password,
        &church.email,
        &talk.system.campus.secret,
        &variables["SECRETS_KEY"],
        ":test@",
        &format!(":{amqp_password}@"),
        "full_name\":",
        "access_token",
    ] {
        for text in &talk.said {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{secret:?} is in a line: {}", line.unwrap_or_default());
        }
    }
    assert!(talk.said.iter().any(|text| text.contains("an event is done")));
}
