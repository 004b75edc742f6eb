//! The programs that run, as their rows of `instances` tell: how many, whether they are ready, which circuit breakers
//! are open, and which delay queues the workers use.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Seconds after which a program that does not refresh its row counts as gone; the slowest does every 5 s.
pub const SILENT_SECONDS: i32 = 20;

/// Seconds after its start before a program that is not ready is worth a word.
const SETTLED_SECONDS: i32 = 15;

/// The programs that run.
#[derive(Debug, Default, Serialize)]
pub struct Instances {
    /// Gateways that run.
    pub gateways: usize,
    /// Workers that run.
    pub workers: usize,
    /// Reconcilers that run.
    pub reconcilers: usize,
    /// Those that run and cannot do their job now.
    pub not_ready: Vec<NotReady>,
    /// The workers' delay queues, which follow from their `RETRY_DELAYS`.
    pub retry_queues: BTreeSet<String>,
    /// How far the work queue is taken: what waits in it was received later. None where no program tells.
    pub events_taken_until: Option<DateTime<Utc>>,
    /// Each of them, and those that fell silent within the last ten minutes.
    pub programs: Vec<InstanceRecord>,
    /// By campus; the one that has been open for longest where several workers have one.
    #[serde(skip)]
    pub breakers: BTreeMap<Uuid, OpenBreaker>,
}

/// A program that runs, or fell silent a short while ago, as its row of `instances` tells it.
#[derive(Debug, Serialize)]
pub struct InstanceRecord {
    /// A start of it.
    pub id: Uuid,
    /// Which program.
    pub program: String,
    /// Of which version.
    pub version: String,
    /// Where it runs.
    pub host: String,
    /// Since when.
    pub started_at: DateTime<Utc>,
    /// When it told of itself last.
    pub seen_at: DateTime<Utc>,
    /// Whether that is so long ago that it may be gone; it has not ended in good order.
    pub silent: bool,
    /// Counts since its start, what it holds, and whether it is ready: all that it tells.
    pub state: Value,
}

/// A program that is not ready.
#[derive(Debug, Serialize)]
pub struct NotReady {
    /// Which program.
    pub program: String,
    /// Where it runs.
    pub host: String,
    /// By the check that fails.
    pub reasons: BTreeMap<String, String>,
}

/// A circuit breaker that is open: the campus's core is asked now and then only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenBreaker {
    /// One of the closed list of causes.
    pub cause: String,
    /// A sentence.
    pub reason: String,
    /// For how long, as far as it is known.
    pub open_for_seconds: i64,
}

/// What a program tells of itself; an older version may tell less.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    ready: Option<bool>,
    reasons: BTreeMap<String, String>,
    breakers: BTreeMap<Uuid, OpenBreaker>,
    retry_queues: BTreeSet<String>,
    events_taken_until: Option<DateTime<Utc>>,
}

const RUNNING: &str = "
    SELECT id, program, version, host, started_at, seen_at, state,
           started_at < now() - make_interval(secs => $2) AS is_settled,
           extract(epoch FROM now() - seen_at)::bigint AS seen,
           ended_at IS NOT NULL OR seen_at <= now() - make_interval(secs => $1) AS silent
    FROM instances
    WHERE (ended_at IS NULL OR state -> 'silent' = 'true') AND seen_at > now() - interval '10 minutes'
    ORDER BY program, started_at, id";

impl Instances {
    /// Reads them.
    pub async fn load(client: &Client) -> Result<Self, DatabaseError> {
        let rows = client
            .query(RUNNING, &[&f64::from(SILENT_SECONDS), &f64::from(SETTLED_SECONDS)])
            .await
            .map_err(DatabaseError::during("read which programs run"))?;
        let mut instances = Self::default();
        for row in &rows {
            let silent: bool = row.get("silent");
            if !silent {
                instances.add(row);
            }
            instances.programs.push(InstanceRecord {
                id: row.get("id"),
                program: row.get("program"),
                version: row.get("version"),
                host: row.get("host"),
                started_at: row.get("started_at"),
                seen_at: row.get("seen_at"),
                silent,
                state: row.get("state"),
            });
        }
        Ok(instances)
    }

    fn add(&mut self, row: &Row) {
        let program: String = row.get("program");
        match program.as_str() {
            "gateway" => self.gateways += 1,
            "worker" => self.workers += 1,
            "reconciler" => self.reconcilers += 1,
            _ => {}
        }
        // What a newer version tells otherwise is not known here.
        let state: State = serde_json::from_value(row.get("state")).unwrap_or_default();
        if state.ready == Some(false) && row.get("is_settled") {
            let host = row.get("host");
            self.not_ready.push(NotReady { program, host, reasons: state.reasons });
        }
        self.retry_queues.extend(state.retry_queues);
        self.events_taken_until = self.events_taken_until.max(state.events_taken_until);
        let seen: i64 = row.get("seen");
        for (campus, mut breaker) in state.breakers {
            breaker.open_for_seconds += seen;
            let known = self.breakers.get(&campus).map_or(-1, |known| known.open_for_seconds);
            if breaker.open_for_seconds > known {
                self.breakers.insert(campus, breaker);
            }
        }
    }
}
