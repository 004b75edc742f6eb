//! The catalogue of variables, and how bad settings and bad usage end.

use std::collections::BTreeMap;

use runtime::variables;
use tests::program::run_to_end;

use super::assert_failed;

const EXAMPLE: &str = include_str!("../../../.env.example");

#[test]
fn the_example_lists_every_variable_and_no_other() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let mut listed = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some((name, value)) = line.trim_start_matches('#').split_once('=') else { continue };
        let Some(variable) = variables::ALL.iter().find(|variable| variable.name == name) else {
            assert!(line.starts_with("# "), "the code does not know {line}");
            continue;
        };
        assert_eq!(lines[index - 1], format!("# {}", variable.help), "{name}");
        if line.starts_with('#') {
            assert_eq!(value, variable.default.unwrap_or_default(), "{name}");
        }
        listed.push(name);
    }
    let known: Vec<&str> = variables::ALL.iter().map(|variable| variable.name).collect();
    assert_eq!(listed, known, "in the order of the catalogue");
}

#[tokio::test]
async fn usage_and_settings_have_their_exit_codes() {
    let run = async |arguments: &[&str], variables: &[(&str, &str)]| {
        let variables: BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        run_to_end("faithctl", arguments, b"", variables).await.unwrap()
    };
    for help in
        [&["--help"][..], &["--version"], &["campus", "add", "--help"], &["status", "--help"]]
    {
        let finished = run(help, &[]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert!(!finished.stdout.is_empty(), "help is data");
    }
    for wrong in [&[][..], &["nope"], &["campus"], &["campus", "add"], &["migrate", "--force"]] {
        assert_eq!(run(wrong, &[]).await.code, Some(2), "{wrong:?}");
    }
    let unset = run(&["campus", "list"], &[]).await;
    assert_failed(&unset, 2, "faithctl: DATABASE_URL: is not set; expected Postgres: postgres://");
    assert_eq!(unset.stderr.lines().count(), 1, "{unset:?}");
    let password = "postgres://user:hunter2@127.0.0.1:9/db";
    let away = run(&["campus", "list"], &[("DATABASE_URL", password)]).await;
    assert_failed(&away, 1, "cannot connect to Postgres");
    let wrong = run(&["campus", "list"], &[("DATABASE_URL", "mysql://user:hunter2@h/db")]).await;
    assert_failed(&wrong, 2, "DATABASE_URL: is not a postgres:// URL");
    for finished in [away, wrong] {
        assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
    }
}
