//! What is logged of a dependency that is away: one line that says what to do, and not one for each attempt.

use futures_util::future::join_all;
use harness::{Role, TestSystem, eventually};
use serde_json::Value;
use support::program::{Program, binary};

use super::{SOON, lines};

/// Attempts that must have failed, so that a line for each would be seen.
const ATTEMPTS: usize = 3;
/// Warnings that a program may have for one cause: of each of its connections, and of what it cannot do without.
const WARNINGS: usize = 4;

fn of_level<'a>(lines: &'a [Value], levels: &[&str]) -> Vec<&'a Value> {
    lines.iter().filter(|line| levels.contains(&line["level"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_healthy_start_logs_no_error() {
    // Programs start side by side, so that a gateway waits for a worker to declare the queues.
    let system = TestSystem::builder().broker_users().reconcilers(1).spawn().await;
    for program in [system.gateway(0), system.worker(0), system.reconciler(0)] {
        let said = lines(program);
        assert!(of_level(&said, &["ERROR"]).is_empty(), "{}: {said:#?}", program.name());
        let warnings = of_level(&said, &["WARN"]);
        assert!(warnings.len() <= WARNINGS, "{}: {warnings:#?}", program.name());
    }
}

/// A program with one wrong setting, and what its log must say.
struct Case {
    kind: &'static str,
    role: Role,
    setting: &'static str,
    value: String,
    says: &'static str,
}

#[tokio::test]
async fn a_dependency_that_is_away_is_told_once_with_what_to_do() {
    let system = TestSystem::builder().gateways(0).workers(0).broker_users().spawn().await;
    let url = system.database.url_as(Role::Gateway);
    let (before, database) = url.rsplit_once('/').unwrap();
    let (credentials, host) = before.rsplit_once('@').unwrap();
    let (user, _) = credentials.rsplit_once(':').unwrap();
    let amqp = system.broker.url_as(Role::Gateway).unwrap();
    let (broker, _) = amqp.rsplit_once('/').unwrap();
    let (broker_user, node) = broker.rsplit_once('@').unwrap();
    let (broker_user, _) = broker_user.rsplit_once(':').unwrap();
    let of_gateway =
        |setting, value, says| Case { kind: "gateway", role: Role::Gateway, setting, value, says };
    let cases = [
        of_gateway(
            "DATABASE_URL",
            format!("{credentials}@127.0.0.1:9/{database}"),
            "unreachable: ",
        ),
        of_gateway("DATABASE_URL", format!("{user}:wrong@{host}/{database}"), "login refused: "),
        of_gateway("DATABASE_URL", format!("{credentials}@{host}/nowhere"), "database missing: "),
        of_gateway(
            "DATABASE_URL",
            format!("{credentials}@{host}/postgres"),
            "schema missing, run `faithctl migrate`: ",
        ),
        of_gateway("AMQP_URL", format!("{broker_user}:x@127.0.0.1:9/v"), "unreachable: "),
        of_gateway("AMQP_URL", format!("{broker_user}:wrong@{node}/v"), "login refused: "),
        of_gateway(
            "AMQP_URL",
            format!("{broker}/nowhere"),
            "vhost missing, or closed to this user: ",
        ),
        Case {
            kind: "worker",
            role: Role::Worker,
            setting: "DATABASE_URL",
            value: system.database.url_as(Role::Worker).replace(host, "127.0.0.1:9"),
            says: "unreachable: ",
        },
        Case {
            kind: "reconciler",
            role: Role::Reconciler,
            setting: "DATABASE_URL",
            value: system.database.url_as(Role::Reconciler).replace(host, "127.0.0.1:9"),
            says: "unreachable: ",
        },
    ];
    let looks = cases.iter().enumerate().map(|(number, case)| is_told_once(&system, number, case));
    join_all(looks).await;
}

async fn is_told_once(system: &TestSystem, number: usize, case: &Case) {
    let name = format!("{}-{number}", case.kind);
    let program = Program::new(&name, binary(case.kind).unwrap(), system.folder().path())
        .clean_environment()
        .variables(system.variables(case.role).clone())
        .variables([
            (case.setting, case.value.as_str()),
            ("RUST_LOG", "info,queue=debug,campus=debug,worker=debug,reconciler=debug"),
        ]);
    program.start().unwrap();
    let said = eventually("attempts have failed", SOON, async || {
        let said = lines(&program);
        let is_repeated = |line: &&&Value| {
            let message = line["message"].as_str().unwrap_or_default();
            message.contains("still") || message.contains("again")
        };
        let repeated = of_level(&said, &["DEBUG"]).iter().filter(is_repeated).count();
        if repeated >= ATTEMPTS { Ok(said) } else { Err(format!("{name}: {said:#?}")) }
    })
    .await;
    let told = of_level(&said, &["WARN", "ERROR"]);
    assert!(told.len() <= WARNINGS, "{name}: {told:#?}");
    assert!(of_level(&said, &["ERROR"]).is_empty(), "{name}: {told:#?}");
    let says =
        |line: &&Value| line["error"].as_str().is_some_and(|error| error.contains(case.says));
    assert!(told.iter().any(says), "{name} does not say {}: {told:#?}", case.says);
}
