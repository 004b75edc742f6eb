//! The catalogue of variables, and how bad settings and bad usage end.

use std::{collections::BTreeMap, time::Duration};

use runtime::variables;
use support::{
    program::{Program, binary, run_to_end},
    servers::DataFolder,
};

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

/// Settings with which every program starts.
const GOOD: &[(&str, &str)] = &[
    ("DATABASE_URL", "postgres://user:hunter2@127.0.0.1:9/db"),
    ("AMQP_URL", "amqp://user:hunter2@127.0.0.1:9/vhost"),
    ("SECRETS_KEY", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="),
];

/// For each variable what no program can use. An empty value counts as unset.
const BAD: &[(&str, &[&str])] = &[
    (
        "DATABASE_URL",
        &[
            "",
            "hunter2",
            "mysql://user:hunter2@127.0.0.1/db",
            "postgres://",
            "postgres:///db",
            "postgres://user:hunter2@127.0.0.1:port/db",
            "postgres://user:hunter2@127.0.0.1/db?sslmode=maybe",
            "postgres://user:hunter2@127.0.0.1/db?sslmode=verify-full&sslrootcert=/nowhere",
            "postgres://user:hunter2@127.0.0.1/db?hunter2=1",
        ],
    ),
    ("DATABASE_POOL_SIZE", &["0", "-1", "4.5", "many"]),
    (
        "AMQP_URL",
        &["", "hunter2", "http://user:hunter2@127.0.0.1", "amqp://127.0.0.1,,amqp://localhost"],
    ),
    ("AMQP_CA_FILE", &["/nowhere", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]),
    ("SECRETS_KEY", &["", "hunter2", "c2hvcnQ="]),
    ("SECRETS_KEY_PREVIOUS", &["hunter2", "c2hvcnQ="]),
    ("SECRETS_KEY_PREVIOUS_FILE", &["/nowhere", "/dev/null"]),
    ("GATEWAY_LISTEN", &["8080", "localhost:8080", "0.0.0.0:65536"]),
    ("GATEWAY_ADMIN_LISTEN", &["9101", ":9101"]),
    ("WORKER_ADMIN_LISTEN", &["9102"]),
    ("RECONCILER_ADMIN_LISTEN", &["9103"]),
    // The one without the other; it is the other that is missing.
    ("TLS_KEY_FILE", &[""]),
    ("TLS_CERT_FILE", &["/nowhere"]),
    ("GATEWAY_MAX_BODY_BYTES", &["0", "16MB", "268435457"]),
    ("GATEWAY_TRUSTED_PROXIES", &["hunter2", "10.0.0.0/33", "10.0.0.0/8;::1"]),
    ("QUEUE_MAX_LENGTH", &["0", "-1", "9223372036854775808"]),
    ("WORKER_PREFETCH", &["0", "65536"]),
    ("WORKER_CORE_CONCURRENCY", &["0", "10001"]),
    ("WORKER_ANSWER_BYTES", &["0", "128MB", "4294967296"]),
    ("RETRY_DELAYS", &["5", "5s,", "0s", "50d", "5s;30s"]),
    ("RETRY_OUTAGE_AGE", &["1 day", "24", "-1h"]),
    ("CORE_URLS_ALLOW", &["http://hunter2", "host:port"]),
    ("LOG_RETENTION", &["90", "soon"]),
    ("AUDIT_RETENTION", &["400", "29d"]),
    // Each alone lacks another, too.
    ("NOTIFY_URL", &["hunter2", "https://hooks.example.org/hunter2"]),
    ("NOTIFY_SECRET", &["hunter2"]),
    ("NOTIFY_MAIL_URL", &["smtps://user:hunter2@mail.example.org"]),
    ("NOTIFY_MAIL_FROM", &["sync@example.org"]),
    ("NOTIFY_MAIL_TO", &["one@example.org"]),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", &["hunter2", "http://", "127.0.0.1:4318"]),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &["http://"]),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", &["grpc"]),
    ("OTEL_TRACES_EXPORTER", &["zipkin"]),
    ("OTEL_TRACES_SAMPLER", &["always", "jaeger_remote"]),
    ("RUST_LOG", &["worker=loud", "a=b=c", "inof", "wroker=debug"]),
    ("LOG_FORMAT", &["xml"]),
];

/// Settings that are wrong together with others.
fn settings_with(name: &'static str, value: &'static str) -> BTreeMap<String, String> {
    let mut settings: BTreeMap<&str, &str> = GOOD.iter().copied().collect();
    match name {
        "TLS_KEY_FILE" => settings.insert("TLS_CERT_FILE", "/nowhere"),
        "TLS_CERT_FILE" => settings.insert("TLS_KEY_FILE", "/nowhere"),
        "OTEL_EXPORTER_OTLP_PROTOCOL" | "OTEL_TRACES_EXPORTER" => {
            settings.insert("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        }
        _ => None,
    };
    settings.insert(name, value);
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    settings.into_iter().map(owned).collect()
}

/// Whether a program's help names a variable; the rarer ones of OpenTelemetry it does not.
fn is_read(help: &str, name: &str) -> bool {
    let mut listed = help.lines().filter_map(|line| line.trim_start().split(' ').next());
    name.starts_with("OTEL_") || listed.any(|listed| listed == name)
}

#[tokio::test]
async fn a_bad_setting_ends_every_program_that_reads_it_with_2_and_one_line() {
    let folder = DataFolder::temporary().unwrap();
    let mut wrong = Vec::new();
    for program in ["gateway", "worker", "reconciler"] {
        let help = run_to_end(program, &["--help"], b"", BTreeMap::new()).await.unwrap();
        let read = BAD.iter().filter(|(name, _)| is_read(&help.stdout, name));
        for (name, value) in
            read.flat_map(|(name, values)| values.iter().map(|value| (*name, *value)))
        {
            let run =
                Program::new(format!("{program}-{name}"), binary(program).unwrap(), folder.path())
                    .clean_environment()
                    .variables(settings_with(name, value));
            run.start().unwrap();
            let ended = tokio::time::timeout(Duration::from_secs(20), run.wait()).await;
            let code = ended.ok().flatten().and_then(|status| status.code());
            let said = run.log_tail(10);
            let words = said.strip_prefix(&format!("{program}: {name}: "));
            let is_told = words.and_then(|words| words.split_once("; expected ")).is_some_and(
                |(problem, expected)| !problem.is_empty() && !expected.trim().is_empty(),
            );
            // A value may be a secret.
            let is_quoted = said.contains("hunter2");
            if code != Some(2) || said.lines().count() != 1 || !is_told || is_quoted {
                wrong.push(format!("{program} with {name}={value:?}: {code:?} {said}"));
            }
            std::fs::remove_file(run.log()).ok();
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
