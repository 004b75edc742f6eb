//! What Postgres does for a program: the plan of each statement, as it was carried out.

use std::sync::{Arc, Mutex};

use harness::{Role, TestSystem};
use serde::Deserialize;
use serde_json::{Deserializer, Value};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A statement that was carried out.
#[derive(Debug, Deserialize)]
pub(super) struct Statement {
    #[serde(rename = "Query Text")]
    pub(super) text: String,
    #[serde(rename = "Plan")]
    plan: Value,
}

/// Stands between programs and Postgres, which tells of each statement how it was carried out.
pub(super) struct Listener {
    url: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Listener {
    /// Listens to the sessions of a role.
    pub(super) async fn of(system: &TestSystem, role: Role) -> Self {
        let name = role.name();
        let database = "current_database()";
        let settings = [
            ("session_preload_libraries", "auto_explain"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_analyze", "on"),
            ("auto_explain.log_timing", "off"),
            ("auto_explain.log_nested_statements", "on"),
            ("auto_explain.log_format", "json"),
            ("auto_explain.log_level", "notice"),
        ];
        let client = system.database.client();
        for (setting, value) in settings {
            let alter = format!(
                "DO $$ BEGIN EXECUTE format('ALTER ROLE {name} IN DATABASE %I SET {setting} = %L', {database},
                 '{value}'); END $$"
            );
            client.batch_execute(&alter).await.unwrap();
        }
        let mut url: reqwest::Url = system.database.url_as(role).parse().unwrap();
        let server = url.port().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((program, _)) = listener.accept().await {
                tokio::spawn(relay(program, server, Arc::clone(&kept)));
            }
        });
        Self { url: url.into(), heard }
    }

    /// The database's URL that leads past it.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What was carried out since the last time.
    pub(super) fn statements(&self) -> Vec<Statement> {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        let text = String::from_utf8_lossy(&heard);
        text.split("  plan:\n")
            .skip(1)
            .map(|rest| Statement::deserialize(&mut Deserializer::from_str(rest)).unwrap())
            .collect()
    }
}

async fn relay(program: TcpStream, server: u16, kept: Arc<Mutex<Vec<u8>>>) {
    let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let (mut asks, mut is_told) = program.into_split();
    let (mut answers, mut is_asked) = server.into_split();
    let asked = async {
        tokio::io::copy(&mut asks, &mut is_asked).await.ok();
        is_asked.shutdown().await.ok();
    };
    let answered = async {
        let mut part = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = answers.read(&mut part).await {
            kept.lock().unwrap().extend_from_slice(&part[..length]);
            if is_told.write_all(&part[..length]).await.is_err() {
                break;
            }
        }
        is_told.shutdown().await.ok();
    };
    tokio::join!(asked, answered);
}

/// Tables that grow.
const LARGE: [&str; 3] = ["webhook_logs", "dead_letters", "sync_logs"];

/// Rows that a statement may read and pass over, and rows that it may sort: those of a day of a campus, not what a table has.
const MOST_ROWS: f64 = 5_000.0;

impl Statement {
    /// Whether it is about a table that grows.
    pub(super) fn is_about_much(&self) -> bool {
        LARGE.iter().any(|table| self.text.contains(table))
    }

    /// What is wrong with how it was carried out.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        look(&self.plan, &mut faults);
        faults
    }
}

fn look(node: &Value, faults: &mut Vec<String>) {
    let number = |key: &str| node[key].as_f64().unwrap_or_default();
    let loops = number("Actual Loops");
    let (rows, removed) = (number("Actual Rows") * loops, number("Rows Removed by Filter") * loops);
    let kind = node["Node Type"].as_str().unwrap();
    let relation = node["Relation Name"].as_str().unwrap_or_default();
    let is_large = LARGE.iter().any(|table| relation.starts_with(table));
    // Days without a row are read anyhow.
    if kind == "Seq Scan" && is_large && rows + removed > 0.0 {
        faults.push(format!("{relation} is read from its first row to its last"));
    }
    if removed > MOST_ROWS {
        faults.push(format!("{removed} rows of {relation} are read in vain"));
    }
    let parts = node["Plans"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sorted: f64 = parts
        .iter()
        .map(|part| part["Actual Rows"].as_f64().unwrap_or_default())
        .fold(0.0, f64::max);
    if kind == "Sort" && sorted > MOST_ROWS {
        faults.push(format!("{sorted} rows are sorted"));
    }
    for part in parts {
        look(part, faults);
    }
}
