//! Starts that go wrong, and what a console tells of itself.

use std::{collections::BTreeMap, time::Duration};

use harness::{Role, eventually};
use serde_json::json;
use support::program::run_to_end;

use super::{Console, campus_alone};

#[tokio::test]
async fn a_console_that_would_be_reached_in_the_clear_does_not_start() {
    let run = async |settings: &[(&str, &str)]| {
        let mut variables: BTreeMap<String, String> =
            [("DATABASE_URL".to_owned(), "postgres://u:p@127.0.0.1:9/x".to_owned())].into();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        variables.extend(settings.iter().map(owned));
        run_to_end("console", &[], b"", variables).await.unwrap()
    };
    for (settings, words) in [
        (&[("CONSOLE_LISTEN", "0.0.0.0:0")][..], "CONSOLE_LISTEN: "),
        (&[("CONSOLE_LISTEN", "[::]:0")], "CONSOLE_LISTEN: "),
        (
            &[("CONSOLE_LISTEN", "0.0.0.0:0"), ("CONSOLE_TRUSTED_PROXIES", "10.0.0.1")],
            "CONSOLE_URL: ",
        ),
        (&[("CONSOLE_URL", "http://console.example.org")], "CONSOLE_URL: "),
        (&[("CONSOLE_TRUSTED_PROXIES", "hunter2")], "CONSOLE_TRUSTED_PROXIES: "),
        (&[("CONSOLE_PROXY_USER_HEADER", "x-user")], "CONSOLE_TRUSTED_PROXIES: "),
        (&[("TLS_KEY_FILE", "/nowhere")], "TLS_CERT_FILE: "),
        (&[("DATABASE_URL", "")], "DATABASE_URL: "),
    ] {
        let ended = run(settings).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.starts_with(&format!("console: {words}")), "{ended:?}");
        assert!(
            ended.stderr.contains("; expected ") && !ended.stderr.contains("hunter2"),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn a_console_tells_that_it_runs_and_how_it_is() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    let ready = reqwest::get(format!("http://{}/readyz", console.admin)).await.unwrap();
    assert_eq!(ready.text().await.unwrap(), r#"{"ready":true,"reasons":{}}"#);
    eventually("its row is there", Duration::from_secs(10), async || {
        let rows = "SELECT state->'ready' AS ready FROM instances WHERE program = 'console' AND ended_at IS NULL";
        system.database.rows(rows, &[]).await == [json!({"ready": true})]
    })
    .await;
    let ended = console.program.terminate(Duration::from_secs(25)).await.unwrap();
    assert_eq!(ended.code(), Some(0));
    let rows = "SELECT FROM instances WHERE program = 'console' AND ended_at IS NOT NULL";
    assert_eq!(system.database.rows(rows, &[]).await.len(), 1);
    assert!(system.variables(Role::Console)["DATABASE_URL"].contains("faith_console"));
}
