//! Two gateways behind the proxy of `deploy/compose.yaml`, by its own configuration.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use harness::{TestSystem, eventually};
use support::program::Program;

use super::{
    gateway_alone,
    restart::{PublicPort, SOON, lost, send},
    updated,
    wire::signed,
    work_queue,
};

const CONFIGURATION: &str = include_str!("../../../deploy/compose/haproxy.cfg");

/// The same with the gateways of a test, and on a port of its own.
fn configuration(system: &TestSystem, inherited: i32) -> String {
    let servers: String = (0..system.replicas("gateway"))
        .map(|index| {
            let address = |url: String| url.trim_start_matches("http://").to_owned();
            let public = address(system.gateway_url_of(index));
            let admin = address(system.admin_url("gateway", index));
            let port = admin.rsplit(':').next().unwrap();
            format!(
                "    server gateway-{index} {public} check port {port} inter 500ms fall 1 rise 1\n"
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let mut sections = Vec::new();
    for section in CONFIGURATION.split("\n\n") {
        if section.starts_with("resolvers") || section.contains("frontend health") {
            continue;
        }
        let lines = section.lines().map(|line| match line.trim() {
            template if template.starts_with("server-template ") => servers.clone(),
            "bind :8080" => format!("    bind fd@{inherited}\n"),
            _ => format!("{line}\n"),
        });
        sections.push(lines.collect::<Vec<_>>().concat());
    }
    sections.join("\n")
}

/// How many requests a gateway has answered since its start.
async fn requests(system: &TestSystem, index: usize) -> f64 {
    let page = reqwest::get(format!("{}/metrics", system.admin_url("gateway", index))).await;
    let page = page.unwrap().text().await.unwrap();
    let lines = page.lines().filter(|line| line.starts_with("gateway_requests_total{"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_are_restarted_in_turn_refuse_nobody() {
    // Installed where somebody wants to see it; what the configuration names is held by `deployment/compose.rs`.
    let haproxy = Path::new("/usr/sbin/haproxy");
    if !haproxy.exists() {
        return;
    }
    let system = gateway_alone().gateways(2).spawn().await;
    let port = Arc::new(PublicPort::open());
    let file = system.folder().path().join("haproxy.cfg");
    fs::write(&file, configuration(&system, port.inherited)).unwrap();
    let proxy = Program::new("haproxy", haproxy.to_owned(), system.folder().path()).arguments([
        "-db",
        "-f",
        file.to_str().unwrap(),
    ]);
    proxy.start().unwrap();
    let webhook = signed(&system, &updated(&system));
    eventually("the proxy knows a gateway", SOON, async || {
        let posted = port.post(&webhook.0, &webhook.1).await;
        if posted.as_ref().is_ok_and(|line| line.contains(" 202 ")) {
            return Ok(());
        }
        Err(format!("{posted:?}\n{}", proxy.log_tail(10)))
    })
    .await;
    let before = work_queue::drain(&system).await.len();
    assert!(before >= 1);

    let stop = Arc::new(AtomicBool::new(false));
    let sending = tokio::spawn(send(Arc::clone(&port), webhook, Arc::clone(&stop)));
    for index in [0, 1, 0, 1] {
        eventually("both get webhooks", SOON, async || {
            requests(&system, 0).await > 5.0 && requests(&system, 1).await > 5.0
        })
        .await;
        system.gateway(index).terminate(SOON).await.unwrap();
        system.start_again("gateway", index).await;
    }
    stop.store(true, Ordering::Relaxed);
    let answers = sending.await.unwrap();
    let lost = lost(&answers);
    let log = proxy.log_tail(20);
    assert!(lost.is_empty(), "{} of {}: {lost:?}\n{log}", lost.len(), answers.len());
    assert!(work_queue::drain(&system).await.len() >= answers.len());
}
