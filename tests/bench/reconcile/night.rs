//! One night of all campuses: `reconciler --once`, measured from outside.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use harness::Role;
use serde_json::Value;
use support::{
    process::{peak_memory, processor_time},
    program::binary,
};

use super::{test_bed::TestBed, usage};

/// What a night took.
#[derive(Debug, Clone)]
pub(super) struct Night {
    pub(super) name: &'static str,
    pub(super) seconds: f64,
    /// As the reconciler reports them, all campuses together; some of it at the same time.
    pub(super) phase_seconds: BTreeMap<String, f64>,
    pub(super) peak_bytes: u64,
    pub(super) wal_bytes: u64,
    /// Rows inserted, updated and deleted in the tables of members.
    pub(super) rows_written: u64,
    /// Whether any row of `members` is another version than before.
    pub(super) members_rewritten: bool,
    pub(super) processor_seconds: Processors,
}

/// Whose processor time.
#[derive(Debug, Clone)]
pub(super) struct Processors {
    pub(super) reconciler: f64,
    pub(super) postgres: f64,
    pub(super) core: f64,
}

/// What Postgres counts.
struct Counted {
    lsn: i64,
    rows: u64,
    versions: String,
}

impl TestBed {
    /// Lets a night pass.
    pub(super) async fn night(&self, name: &'static str) -> Night {
        // A day has passed since the last one.
        self.execute(
            "UPDATE sync_logs SET started_at = started_at - interval '5 days',
                                  completed_at = completed_at - interval '5 days';
             CHECKPOINT",
        )
        .await;
        let before = self.counted().await;
        let (own, postgres) = (usage::of(std::process::id()), processor_time(self.postmaster));
        let begun = Instant::now();
        let (reports, peak_bytes) = self.reconcile().await;
        let seconds = begun.elapsed().as_secs_f64();
        let now = usage::of(std::process::id());
        let processor_seconds = Processors {
            reconciler: now.children - own.children,
            postgres: processor_time(self.postmaster).abs_diff(postgres).as_secs_f64(),
            core: now.own - own.own,
        };
        let after = self.counted().await;
        let mut phase_seconds = BTreeMap::new();
        for report in &reports {
            assert_eq!(report["status"], "success", "{report}");
            for (phase, seconds) in report["phase_seconds"].as_object().unwrap() {
                *phase_seconds.entry(phase.clone()).or_default() += seconds.as_f64().unwrap();
            }
        }
        assert_eq!(reports.len(), self.campuses.len());
        let night = Night {
            name,
            seconds,
            phase_seconds,
            peak_bytes,
            wal_bytes: u64::try_from(after.lsn - before.lsn).unwrap(),
            rows_written: after.rows - before.rows,
            members_rewritten: after.versions != before.versions,
            processor_seconds,
        };
        println!("{name}: {seconds:.1} s");
        night
    }

    async fn reconcile(&self) -> (Vec<Value>, u64) {
        let mut variables = self.system.variables(Role::Reconciler).clone();
        variables.insert("RUST_LOG".to_owned(), "warn".to_owned());
        if let Some(size) = self.pool_size {
            variables.insert("DATABASE_POOL_SIZE".to_owned(), size.to_string());
        }
        let child = Command::new(binary("reconciler").unwrap())
            .args(["--once", "--json"])
            .env_clear()
            .envs(variables)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let process = child.id().cast_signed();
        let ended = tokio::task::spawn_blocking(|| child.wait_with_output());
        let mut peak = 0;
        while !ended.is_finished() {
            peak = peak_memory(process).unwrap_or_default().max(peak);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let output = ended.await.unwrap().unwrap();
        assert!(output.status.success(), "{output:?}");
        (serde_json::from_slice(&output.stdout).unwrap(), peak * 1024)
    }

    async fn counted(&self) -> Counted {
        let client = self.system.database.client();
        let query = "
            SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint,
                   (SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables
                    WHERE relname IN ('members', 'member_sync', 'member_photos', 'reconciled_rows')),
                   (SELECT coalesce(sum(hashtextextended(id::text || xmin || ctid, 0)), 0)::text FROM members)";
        let row = client.query_one(query, &[]).await.unwrap();
        Counted {
            lsn: row.get(0),
            rows: u64::try_from(row.get::<_, i64>(1)).unwrap(),
            versions: row.get(2),
        }
    }

    pub(super) async fn execute(&self, statements: &str) {
        self.system.database.client().batch_execute(statements).await.unwrap();
    }
}
