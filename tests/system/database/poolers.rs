//! PgBouncer before Postgres, as it is delivered: session mode works with every setting in force,
//! transaction mode is recognised and said.

use std::time::Duration;

use core_sim::{Webhook, WebhookBody};
use database::{DatabaseConfig, Pool};
use harness::{Role, TestSystem, eventually};
use runtime::Settings;
use serde_json::json;
use support::servers::{PgBouncer, PoolMode};

use super::{SOON, faithctl_at, parts, reason};

const PROGRAMS: [(&str, Role, &str); 3] = [
    ("gateway", Role::Gateway, "campuses"),
    ("worker", Role::Worker, "postgres"),
    ("reconciler", Role::Reconciler, "postgres"),
];

fn pooler(system: &TestSystem, mode: PoolMode) -> PgBouncer {
    let url = system.database.url();
    let server = parts(&url).1.rsplit_once(':').unwrap().1.parse().unwrap();
    let roles = Role::ALL.map(Role::name);
    PgBouncer::start(system.folder(), server, mode, &roles, "test").unwrap()
}

fn through(system: &TestSystem, pooler: &PgBouncer, role: Role) -> String {
    let url = system.database.url_as(role);
    let (credentials, _, database) = parts(&url);
    format!("postgres://{credentials}@127.0.0.1:{}/{database}", pooler.port())
}

/// Ends the programs, and starts them before a pooler.
async fn move_behind(system: &TestSystem, pooler: &PgBouncer) {
    for (kind, role, _) in PROGRAMS {
        let program = match kind {
            "gateway" => system.gateway(0),
            "worker" => system.worker(0),
            _ => system.reconciler(0),
        };
        program.terminate(Duration::from_secs(25)).await.unwrap();
        program.set_variable("DATABASE_URL", through(system, pooler, role));
        program.start().unwrap();
    }
}

#[tokio::test]
async fn session_mode_works_with_every_setting_in_force() {
    let system = TestSystem::builder().reconcilers(1).spawn().await;
    let pooler = pooler(&system, PoolMode::Session);
    runtime::install_crypto_provider();
    let url = through(&system, &pooler, Role::Admin);
    let settings = Settings::from_pairs([("DATABASE_URL", url.as_str())]);
    let config = DatabaseConfig::from_settings(&settings, "test").unwrap();
    let connected = config.connect().await.unwrap();
    let pooled = Pool::new(&config).unwrap().get().await.unwrap();
    for client in [&connected.client, &**pooled] {
        for (name, value) in [
            ("lock_timeout", "3s"),
            ("idle_in_transaction_session_timeout", "5s"),
            ("synchronous_commit", "on"),
            ("jit", "off"),
            ("statement_timeout", "30s"),
        ] {
            let row = client.query_one("SELECT current_setting($1)", &[&name]).await.unwrap();
            assert_eq!(row.get::<_, &str>(0), value, "{name}");
        }
    }

    move_behind(&system, &pooler).await;
    for (kind, ..) in PROGRAMS {
        system.until_ready(kind, 0, SOON).await;
    }
    let campus = &system.campus;
    let created = system
        .core
        .create(&campus.core_church_id, json!({"full_name": "SUMARNI"}), Webhook::Silent)
        .unwrap();
    let member = created.member.text("id").unwrap();
    let body = WebhookBody::new("member.created", &campus.core_church_id, member);
    assert_eq!(system.post(campus, &body).await.status, 202);
    eventually("the member has a row", SOON, async || {
        let query = "SELECT name FROM members WHERE external_member_id = $1";
        system.database.rows(query, &[&member]).await.pop()
    })
    .await;
    // Notifications come through.
    faithctl_at(&system, &url, &["campus", "disable", &campus.id]).await.checked().unwrap();
    eventually("the campus is disabled", Duration::from_secs(1), async || {
        system.post(campus, &body).await.status == 403
    })
    .await;
}

#[tokio::test]
async fn transaction_mode_is_recognised_and_said() {
    let system = TestSystem::builder().reconcilers(1).spawn().await;
    let pooler = pooler(&system, PoolMode::Transaction);
    move_behind(&system, &pooler).await;
    for (kind, _, check) in PROGRAMS {
        eventually("it says so", SOON, async || {
            let reason = reason(&system, kind, check).await;
            if reason.contains("transaction mode") { Ok(()) } else { Err(reason) }
        })
        .await;
    }
    let url = through(&system, &pooler, Role::Admin);
    let finished = faithctl_at(&system, &url, &["campus", "list"]).await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("it must be in session mode"), "{finished:?}");
    let doctor = faithctl_at(&system, &url, &["doctor"]).await;
    let said = doctor.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("set pool_mode = session"), "{said}");
}
