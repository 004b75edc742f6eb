//! A log that nobody reads, and a terminal that is closed: both stop no program.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    time::Duration,
};

use core_sim::{Webhook, WebhookBody};
use futures_util::future::join_all;
use harness::{Role, TestSystem, eventually};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use support::program::binary;

use super::{SOON, line};

const DRAIN: Duration = Duration::from_secs(25);

/// A program that says all it can, to a pipe of which nobody reads.
struct Unread {
    child: Child,
    listening: Value,
    /// Open, or the pipe would be broken instead of full.
    log: BufReader<ChildStderr>,
}

impl Unread {
    /// Starts it, and reads until it has named its addresses.
    fn start(system: &TestSystem, name: &str, role: Role) -> Self {
        let mut child = Command::new(binary(name).unwrap())
            .env_clear()
            .envs(system.variables(role))
            .env("RUST_LOG", "trace")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut program = Self { child, listening: Value::Null, log };
        while !program.listening["admin_address"].is_string() {
            let mut line = String::new();
            assert!(program.log.read_line(&mut line).unwrap() > 0, "{name} names its addresses");
            program.listening = serde_json::from_str(&line).unwrap();
        }
        program
    }

    fn url(&self, address: &str, path: &str) -> String {
        format!("http://{}{path}", self.listening[address].as_str().unwrap())
    }

    async fn has_dropped_lines(&self, client: &reqwest::Client) -> bool {
        let metrics = client.get(self.url("admin_address", "/metrics")).send().await.unwrap();
        let text = metrics.text().await.unwrap();
        let dropped = text.lines().find(|line| line.starts_with("log_lines_dropped_total"));
        dropped.is_some_and(|line| !line.ends_with(" 0"))
    }

    async fn assert_alive(&self, client: &reqwest::Client) {
        let alive = client.get(self.url("admin_address", "/livez")).send().await.unwrap();
        assert_eq!(alive.status(), 200);
    }

    async fn terminate(mut self) -> ExitStatus {
        let process = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(process, Signal::SIGTERM).unwrap();
        eventually("it drains and ends", DRAIN, async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap()
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_neither_webhooks_nor_their_work() {
    let system = TestSystem::builder().gateways(0).workers(0).spawn().await;
    let gateway = Unread::start(&system, "gateway", Role::Gateway);
    let worker = Unread::start(&system, "worker", Role::Worker);
    let client = client();
    let (path, church) =
        (gateway.url("address", "/api/sync/webhook"), &system.campus.core_church_id);
    let created = system.core.create(church, json!({"full_name": "Budi"}), Webhook::Silent);
    let member = created.unwrap().member.text("id").unwrap().to_owned();
    let body = WebhookBody::new("member.updated", church, &member).to_bytes();
    let signature = core_sim::sign(&system.campus.secret, &body);
    let headers = [("x-webhook-signature", signature.as_bytes())];
    let post = async || system.try_post_to(&path, &headers, &body).await.map(|it| it.status);
    eventually("the gateway accepts", SOON, async || post().await.is_ok_and(|it| it == 202)).await;

    eventually("lines are dropped and counted", SOON, async || {
        for answer in join_all((0..200).map(|_| post())).await {
            assert_eq!(answer.unwrap(), 202);
        }
        gateway.has_dropped_lines(&client).await && worker.has_dropped_lines(&client).await
    })
    .await;
    let query = "SELECT FROM webhook_logs WHERE status = 'processed' AND event_id = $1";
    let last = system.try_post_to(&path, &headers, &body).await.unwrap().event_id();
    eventually("the worker works on", SOON, async || {
        !system.database.rows(query, &[&last]).await.is_empty()
    })
    .await;
    for program in [gateway, worker] {
        program.assert_alive(&client).await;
        assert_eq!(program.terminate().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_closed_terminal_ends_no_program() {
    let builder = TestSystem::builder().reconcilers(1);
    let system = builder.variable("RUST_LOG", "info,runtime=debug").spawn().await;
    let programs = [system.gateway(0), system.worker(0), system.reconciler(0)];
    for (program, kind) in programs.into_iter().zip(["gateway", "worker", "reconciler"]) {
        program.signal(Signal::SIGHUP);
        line(program, "it takes note", |line| line["message"] == "SIGHUP changes nothing").await;
        assert_eq!(program.ended(), None, "{kind}");
        system.until_ready(kind, 0, SOON).await;
    }
}
