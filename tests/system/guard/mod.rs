//! The observation guard on a real Postgres (decision 4): concurrent writers, few and so hot
//! members, killed sessions, crashes of the server. Everything converges in the end, so the end
//! proves nothing: every single write is recorded by a trigger and checked.

mod core;
mod covered;
mod writer;

use std::{sync::Arc, time::Duration};

use database::{Client, DatabaseConfig};
use harness::{eventually, oracle};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use runtime::Settings;
use support::servers::{DataFolder, Postgres};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    core::{MEMBERS, ModelCore},
    writer::Writer,
};

const WRITERS: u64 = 6;

struct Setting {
    postgres: Postgres,
    config: DatabaseConfig,
    campus: Uuid,
    core: Arc<ModelCore>,
    _folder: DataFolder,
}

impl Setting {
    async fn new() -> Self {
        let folder = DataFolder::temporary().unwrap();
        let postgres = Postgres::start(&folder).await.unwrap();
        let url = postgres.url("postgres");
        let settings = Settings::from_pairs([("DATABASE_URL", url.as_str())]);
        let config = DatabaseConfig::from_settings(&settings, "guard").unwrap();
        let mut client = config.connect().await.unwrap().client;
        store::migrate(&mut client).await.unwrap();
        let campus = Uuid::new_v4();
        client
            .execute("INSERT INTO campuses (id, name) VALUES ($1, 'Guard')", &[&campus])
            .await
            .unwrap();
        client
            .execute(
                "INSERT INTO sync_configs (campus_id, core_church_id, api_base_url, api_email,
                                           api_password_sealed, webhook_secret_sealed)
                 VALUES ($1, 'c', 'https://core.example', 'e', 'p', 's')",
                &[&campus],
            )
            .await
            .unwrap();
        client.batch_execute(oracle::RECORDER).await.unwrap();
        let core = Arc::new(ModelCore::new(MEMBERS));
        Self { postgres, config, campus, core, _folder: folder }
    }

    async fn client(&self) -> Client {
        eventually("Postgres answers", Duration::from_secs(30), async || {
            self.config.connect().await.ok()
        })
        .await
        .client
    }

    /// Writers that go on until `stop`, each with its own sessions.
    fn write(&self, seed: u64, stop: &CancellationToken) -> JoinSet<u64> {
        let mut writers = JoinSet::new();
        for number in 0..WRITERS {
            let writer = Writer {
                config: self.config.clone(),
                campus: self.campus,
                core: Arc::clone(&self.core),
                random: StdRng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(number)),
            };
            writers.spawn(writer.run(stop.clone()));
        }
        writers
    }

    /// Checks every write, then lets one last writer read everything: the rows equal the core.
    async fn check(&self, seed: u64, mut writers: JoinSet<u64>) {
        let mut commits = 0;
        while let Some(result) = writers.join_next().await {
            commits += result.unwrap();
        }
        let client = self.client().await;
        let applied = oracle::read(&client).await;
        assert!(
            applied.len() > 50,
            "seed {seed}: only {} writes of {commits} commits",
            applied.len()
        );
        oracle::check(&applied).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));

        let last = Writer {
            config: self.config.clone(),
            campus: self.campus,
            core: Arc::clone(&self.core),
            random: StdRng::seed_from_u64(seed),
        };
        last.read_all(MEMBERS).await;
        let rows = client
            .query("SELECT external_member_id, name, is_archived FROM members", &[])
            .await
            .unwrap();
        for row in rows {
            let (version, deleted) = self.core.read(row.get(0));
            assert_eq!(row.get::<_, bool>(2), deleted, "seed {seed}");
            if !deleted {
                assert_eq!(row.get::<_, String>(1), format!("version {version}"), "seed {seed}");
            }
        }
    }
}

fn seed() -> u64 {
    std::env::var("GUARD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn older_reads_never_overwrite_newer_ones_while_sessions_are_killed() {
    let seed = seed();
    println!("GUARD_SEED={seed}");
    let setting = Setting::new().await;
    let stop = CancellationToken::new();
    let writers = setting.write(seed, &stop);
    let killer = setting.client().await;
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..15 {
        until_written(&killer, random.random_range(20..60)).await;
        killer
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = 'guard' AND pid <> pg_backend_pid()
                 ORDER BY random() LIMIT 1",
                &[],
            )
            .await
            .unwrap();
    }
    until_written(&killer, 100).await;
    stop.cancel();
    setting.check(seed, writers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn older_reads_never_overwrite_newer_ones_over_crashes_of_postgres() {
    let seed = seed();
    println!("GUARD_SEED={seed}");
    let setting = Setting::new().await;
    let stop = CancellationToken::new();
    let writers = setting.write(seed, &stop);
    for _ in 0..3 {
        until_written(&setting.client().await, 60).await;
        setting.postgres.kill();
        setting.postgres.start_again().await.unwrap();
    }
    until_written(&setting.client().await, 60).await;
    stop.cancel();
    setting.check(seed, writers).await;
}

/// Waits until that many more writes were applied.
async fn until_written(client: &Client, more: i64) {
    let count = async || {
        let row = client.query_one("SELECT count(*) FROM applied_writes", &[]).await.ok()?;
        Some(row.get::<_, i64>(0))
    };
    let goal = count().await.unwrap() + more;
    eventually("enough was written", Duration::from_mins(1), async || {
        let count = count().await.ok_or("Postgres does not answer")?;
        if count >= goal { Ok(()) } else { Err(format!("{count} of {goal} writes")) }
    })
    .await;
}
