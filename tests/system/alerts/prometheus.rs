//! A real Prometheus beside a system, with the rules of `deploy/alerts/`.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use chrono::{DateTime, Utc};
use harness::{TestSystem, eventually};
use serde_json::{Value, json};
use support::{
    process::{Launch, Process},
    servers::{DataFolder, keep_or_choose},
};

use super::rules::shortened;

const PROGRAM: &str = "/usr/bin/prometheus";
const EVERY: &str = "1s";
/// Between two questions.
const ASK_EVERY: Duration = Duration::from_millis(250);
const SOON: Duration = Duration::from_mins(1);
/// The longest range in a test is half of it.
const ANNOUNCED: Duration = Duration::from_mins(3);

/// An alert, of a campus where it is about one.
pub(super) type Alert<'a> = (&'a str, Option<&'a str>);

/// A running Prometheus; ends when dropped.
pub(super) struct Prometheus {
    url: String,
    process: Process,
    /// Last, so that it is deleted after the process has ended.
    _folder: DataFolder,
}

impl Prometheus {
    /// Scrapes every program of the system every second, and has done so.
    pub(super) async fn watching(system: &TestSystem) -> Self {
        let folder = DataFolder::temporary().unwrap();
        for (name, rules) in shortened() {
            fs::write(folder.join(&name), rules.to_string()).unwrap();
        }
        let jobs = ["gateway", "worker", "reconciler"].map(|kind| {
            let target = |index| system.admin_url(kind, index).replace("http://", "");
            (kind, (0..system.replicas(kind)).map(target).collect::<Vec<_>>())
        });
        let targets: usize = jobs.iter().map(|(_, targets)| targets.len()).sum();
        let job = |(kind, targets): &(&str, Vec<String>)| json!({"job_name": kind, "static_configs": [{"targets": targets}]});
        // JSON is YAML.
        let configuration = json!({
            "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY},
            "rule_files": [folder.join("*.yaml")],
            "scrape_configs": jobs.iter().map(job).collect::<Vec<_>>(),
        });
        let file = folder.join("prometheus.json");
        fs::write(&file, configuration.to_string()).unwrap();
        let port = keep_or_choose(&folder.join("port"), None).unwrap();
        let process = Launch::new("prometheus", Path::new(PROGRAM), &folder.join("prometheus.log"))
            .argument(format!("--config.file={}", file.display()))
            .argument(format!("--storage.tsdb.path={}", folder.join("series").display()))
            .argument(format!("--web.listen-address=127.0.0.1:{port}"))
            .argument("--log.level=warn")
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{error:#}: it is in Debian's package `prometheus`, which deploy/test installs"
                )
            });
        let url = format!("http://127.0.0.1:{port}");
        let prometheus = Self { url, process, _folder: folder };
        prometheus.until(&format!("sum(up) == {targets}")).await;
        prometheus
    }

    /// Waits until none of these alerts is there.
    pub(super) async fn until_quiet(&self, alerts: &[&str]) {
        eventually("nothing is wrong", SOON, async || {
            let active = self.active().await?;
            let named: Vec<_> =
                active.into_iter().filter(|alert| alerts.contains(&name(alert))).collect();
            if named.is_empty() { Ok(()) } else { Err(format!("{named:?}")) }
        })
        .await;
    }

    /// Waits until so many campuses are called by their names: a gateway asks for the names now and then.
    pub(super) async fn until_named(&self, campuses: usize) {
        self.until(&format!("count(count by (campus) (campus_info)) == {campuses}")).await;
    }

    /// Waits until an expression has a result, and answers the first value.
    pub(super) async fn until(&self, expression: &str) -> f64 {
        eventually(expression, SOON, async || {
            tokio::time::sleep(ASK_EVERY).await;
            let series = self.query(expression).await?;
            let value = series.first().and_then(|one| one["value"][1].as_str()?.parse().ok());
            value.ok_or_else(String::new)
        })
        .await
    }

    /// The series that an expression has now.
    pub(super) async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let mut answer = self.ask("query", &[("query", expression)]).await?;
        Ok(answer["result"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// Waits until each of these alerts, that began after `since`, has fired; answers what a person reads, by alert and
    /// campus.
    pub(super) async fn announces(
        &self,
        since: DateTime<Utc>,
        alerts: &[Alert<'_>],
    ) -> BTreeMap<(String, Option<String>), String> {
        let mut seen = BTreeMap::new();
        eventually("the alerts fire", ANNOUNCED, async || {
            for alert in self.active().await? {
                let began: DateTime<Utc> = alert["activeAt"].as_str().unwrap().parse().unwrap();
                if alert["state"] == "firing" && began >= since {
                    let campus = alert["labels"]["campus"].as_str().map(str::to_owned);
                    let summary = alert["annotations"]["summary"].as_str().unwrap().to_owned();
                    seen.insert((name(&alert).to_owned(), campus), summary);
                }
            }
            let missing: Vec<_> = alerts
                .iter()
                .filter(|(name, campus)| {
                    let of = |(seen, of): &(String, Option<String>)| {
                        seen == name && (campus.is_none() || of.as_deref() == *campus)
                    };
                    !seen.keys().any(of)
                })
                .collect();
            if missing.is_empty() {
                Ok(())
            } else {
                Err(format!("{missing:?} is missing; there were {seen:#?}"))
            }
        })
        .await;
        seen
    }

    /// The alerts that are pending or fire.
    async fn active(&self) -> Result<Vec<Value>, String> {
        tokio::time::sleep(ASK_EVERY).await;
        let mut answer = self.ask("alerts", &[]).await?;
        Ok(answer["alerts"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    async fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let log = || self.process.log_tail(20);
        assert!(self.process.ended().is_none(), "Prometheus ended: {}", log());
        let url =
            reqwest::Url::parse_with_params(&format!("{}/api/v1/{what}", self.url), parameters);
        let answer = reqwest::get(url.unwrap()).await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&text).map_err(|_| text.clone())?;
        if answer["status"] == "success" { Ok(answer["data"].clone()) } else { Err(text) }
    }
}

fn name(alert: &Value) -> &str {
    alert["labels"]["alertname"].as_str().unwrap_or_default()
}
