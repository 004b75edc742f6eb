//! `faithctl status` and `doctor`.

use std::time::Duration;

use harness::{Role, TestSystem, eventually};
use serde_json::Value;

use super::{assert_failed, campus_alone, faithctl_with};

/// What `doctor` says of a subject, its status in the first word.
fn findings(report: &Value, subject: &str) -> Vec<String> {
    let all = report.as_array().unwrap().iter();
    all.filter(|check| check["check"].as_str().unwrap().contains(subject))
        .map(|check| {
            format!("{} {}", check["status"].as_str().unwrap(), check["detail"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_running_system_is_well() {
    let system = TestSystem::builder().reconcilers(1).spawn().await;
    let gateway = system.gateway_url();
    let arguments = ["doctor", "--login", "--gateway", &gateway, "--json"];
    // The worker's consumers are counted by the broker a moment after it is ready.
    let report = eventually("all is well", Duration::from_secs(20), async || {
        let finished = system.faithctl(&arguments).await;
        let report = finished.stdout.clone();
        if finished.code == Some(0) { Ok(finished.json()) } else { Err(report) }
    })
    .await;
    for check in report.as_array().unwrap() {
        assert_eq!(check["status"], "ok", "{check}");
    }
    assert_eq!(findings(&report, "gateway").len(), 1);
    assert!(findings(&report, "gateway")[0].contains("a worker has logged it"), "{report}");
    let campus = findings(&report, "campus");
    assert!(campus[0].contains("a member was fetched by id, mapped and filtered"), "{campus:?}");
    let public = [("PUBLIC_URL", "https://sync.example.org:8080")];
    let report = faithctl_with(&system, &arguments, &public).await.success();
    let report: Value = serde_json::from_str(&report).unwrap();
    let [found] = findings(&report, "PUBLIC_URL").try_into().unwrap();
    assert!(found.starts_with("warning port 8080 is that of another service"), "{found}");

    let status = system.faithctl(&["status", "--json"]).await.json();
    assert_eq!(status["workers"], 1);
    let work =
        status["queues"].as_array().unwrap().iter().find(|q| q["name"] == "member-events.work");
    assert_eq!(work.unwrap()["messages"], 0);
    assert_eq!(status["campuses"][0]["campus_id"], system.campus.id.as_str());
    assert_eq!(status["problems"], serde_json::json!([]));
    assert_eq!(status["connected"]["gateways"], 1);
    assert_eq!(status["attention"], serde_json::json!([]), "{status}");
    let screen = system.faithctl(&["status"]).await.success();
    for part in [
        "Queues: 1 worker",
        "member-events.retry.5s",
        "Flow of the last",
        "Dead letters",
        "Campuses",
    ] {
        assert!(screen.contains(part), "{part} is missing: {screen}");
    }
}

#[tokio::test]
async fn without_a_worker_events_stop_and_doctor_says_so() {
    let system = campus_alone().await;
    let finished = system.faithctl(&["doctor", "--json"]).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(
        findings(&report, "workers"),
        ["failure no worker consumes events: they wait in the queue"]
    );
    assert!(
        findings(&report, "queues")[0].starts_with("failure not declared yet: member-events.work")
    );
    let programs = findings(&report, "programs");
    for (found, missing) in programs.iter().zip(["gateway", "reconciler"]) {
        assert!(found.starts_with(&format!("warning no {missing} is connected")), "{programs:?}");
    }
    assert_eq!(programs.len(), 2);
    let screen = system.faithctl(&["status"]).await.success();
    assert!(screen.contains("Queues: no worker consumes events"), "{screen}");
    assert!(screen.contains("not declared yet"), "{screen}");
}

#[tokio::test]
async fn what_is_away_is_said_and_the_rest_is_shown() {
    let system = campus_alone().await;
    let no_broker = [("AMQP_URL", "amqp://127.0.0.1:9")];
    let status = faithctl_with(&system, &["status"], &no_broker).await;
    assert_eq!(status.code, Some(1));
    assert!(status.stdout.contains("✗ cannot connect to RabbitMQ at 127.0.0.1:9"), "{status:?}");
    assert!(status.stdout.contains("Campuses\nname"), "{status:?}");
    assert!(status.stdout.starts_with("Unreachable\n"), "{status:?}");
    let no_database = [("DATABASE_URL", "postgres://x@127.0.0.1:9/x")];
    let status = faithctl_with(&system, &["status", "--json"], &no_database).await;
    assert_eq!(status.code, Some(1));
    let json: Value = serde_json::from_str(&status.stdout).unwrap();
    assert!(json["problems"][0].as_str().unwrap().contains("Postgres"), "{json}");
    assert!(json["queues"].is_array() && json["campuses"].is_null(), "{json}");
    let doctor = faithctl_with(&system, &["doctor"], &[no_broker, no_database].concat()).await;
    assert_eq!(doctor.code, Some(1));
    assert!(
        doctor.stdout.contains("✗ Postgres: ") && doctor.stdout.contains("✗ RabbitMQ: "),
        "{doctor:?}"
    );
    // Each failure has its own advice.
    let admin = system.variables(Role::Admin);
    let (database, broker) = (admin["DATABASE_URL"].as_str(), admin["AMQP_URL"].as_str());
    let wrong_password = |url: &str| {
        let (credentials, rest) = url.split_once('@').unwrap();
        format!("{}:wrong@{rest}", credentials.rsplit_once(':').unwrap().0)
    };
    for (name, value, advice) in [
        ("DATABASE_URL", wrong_password(database), "correct role and password in DATABASE_URL"),
        ("DATABASE_URL", format!("{database}_none"), "correct the database's name in DATABASE_URL"),
        ("DATABASE_URL", no_database[0].1.to_owned(), "start it, or correct DATABASE_URL: address"),
        ("AMQP_URL", wrong_password(broker), "correct user and password in AMQP_URL"),
        ("AMQP_URL", format!("{broker}_none"), "correct the vhost in AMQP_URL"),
        ("AMQP_URL", no_broker[0].1.to_owned(), "start it, or correct AMQP_URL: address"),
    ] {
        let doctor = faithctl_with(&system, &["doctor"], &[(name, &value)]).await;
        assert_eq!(doctor.code, Some(1));
        assert!(doctor.stdout.contains(&format!("    → {advice}")), "{advice}: {doctor:?}");
        assert!(!doctor.stdout.contains("wrong@"), "{doctor:?}");
    }
    let unset = faithctl_with(&system, &["status"], &[("AMQP_URL", "")]).await;
    assert_failed(&unset, 2, "AMQP_URL: is not set; expected ");
}

#[tokio::test]
async fn doctor_finds_what_is_wrong_with_settings_schema_rights_and_campuses() {
    let system = campus_alone().await;
    let report = async |changes: &[(&str, &str)]| {
        let finished = faithctl_with(&system, &["doctor", "--json"], changes).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        serde_json::from_str::<Value>(&finished.stdout).unwrap()
    };
    let settings = [
        ("RETRY_DELAYS", "5"),
        ("TLS_KEY_FILE", "/x"),
        ("LOG_RETENTION", "soon"),
        ("NOTIFY_SECRET", "hidden"),
        // Beyond what the programs take.
        ("GATEWAY_MAX_BODY_BYTES", "268435457"),
        ("QUEUE_MAX_LENGTH", "9223372036854775808"),
        ("WORKER_PREFETCH", "65536"),
        ("WORKER_CORE_CONCURRENCY", "10001"),
        ("WORKER_ANSWER_BYTES", "4294967296"),
    ];
    assert_eq!(findings(&report(&settings).await, "setting").len(), settings.len());
    let key = [("SECRETS_KEY", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")];
    assert!(findings(&report(&key).await, "campus")[0].ends_with("does not open"));

    let break_it = "
        GRANT UPDATE (notes) ON members TO faith_worker;
        REVOKE INSERT ON dead_letters FROM faith_worker;
        UPDATE sync_configs SET webhook_secret_set_at = now() - interval '91 days', filter_rules = '[1]';
        DELETE FROM refinery_schema_history WHERE version = 5";
    system.database.client().batch_execute(break_it).await.unwrap();
    let found = report(&[]).await;
    assert_eq!(findings(&found, "schema"), ["failure not applied yet: V5__sync_logs"]);
    let mend = "INSERT INTO refinery_schema_history (version, name) VALUES (5, 'sync_logs')";
    system.database.client().batch_execute(mend).await.unwrap();
    let found = report(&[]).await;
    let rights = findings(&found, "roles");
    assert!(
        rights.contains(&"failure faith_worker may not INSERT dead_letters".to_owned()),
        "{rights:?}"
    );
    assert!(
        rights.contains(&"warning faith_worker may UPDATE members.notes".to_owned()),
        "{rights:?}"
    );
    let campus = findings(&found, "campus");
    assert!(
        campus.iter().any(|finding| finding.starts_with("warning the webhook secret is 91d old")),
        "{campus:?}"
    );
    assert!(campus.iter().any(|finding| finding.contains("filter rule 1")), "{campus:?}");
    let screen = system.faithctl(&["status"]).await.success();
    for part in ["Worth a look\n  ! no worker consumes", "its webhook secret is 91d old"] {
        assert!(screen.contains(part), "{part} is missing: {screen}");
    }
}

#[tokio::test]
async fn doctor_is_content_with_the_rights_of_the_admin_role() {
    let system = campus_alone().await;
    assert!(system.variables(Role::Admin)["DATABASE_URL"].contains("faith_admin"));
    let finished = system.faithctl(&["doctor"]).await;
    for line in ["✓ schema: up to date", "✓ webhook_logs: days are made ahead", "✓ roles: "] {
        assert!(finished.stdout.contains(line), "{line}: {finished:?}");
    }
}
