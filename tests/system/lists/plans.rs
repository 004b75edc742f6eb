//! No list reads more than it shows, whatever it is filtered by: held by the plans of the real statements, under the roles of
//! who asks them.

use harness::{Role, TestSystem};
use serde_json::json;
use support::program::run_to_end;

use super::{statements::Listener, with_weeks};

/// Every list of `faithctl`, and every way to filter it; `{…}` are values of the database.
const LISTS: [&str; 34] = [
    "deliveries list",
    "deliveries list --limit 200",
    "deliveries list --campus {campus}",
    "deliveries list --member member-77",
    "deliveries list --event-type member.updated",
    "deliveries list --event-type member.deleted --campus {campus}",
    "deliveries list --event-type member.merged",
    "deliveries list --event-type member.invented",
    "deliveries list --status dead",
    "deliveries list --status dead,retrying,duplicate",
    "deliveries list --status processed --campus {campus}",
    "deliveries list --status ignored",
    "deliveries list --status stale --campus {campus}",
    "deliveries list --status dead --campus {campus} --event-type member.updated",
    "deliveries list --cause wrong_church",
    "deliveries list --cause member_not_found --campus {campus} --status dead",
    "deliveries list --since 1h --until 30m",
    "deliveries list --until 10d --campus {campus}",
    "deliveries list --after {delivery}",
    "dead-letters list",
    "dead-letters list --status open",
    "dead-letters list --status replaying --until 1h",
    "dead-letters list --cause wrong_church --status open",
    "dead-letters list --cause poison",
    "dead-letters list --campus {campus}",
    "dead-letters list --event-type member.merged",
    "dead-letters list --member member-105",
    "dead-letters list --until 10d --after {letter}",
    "dead-letters groups",
    "dead-letters groups --status replaying",
    "dead-letters export --status replaying --limit 100",
    "runs list",
    "runs list --campus {campus}",
    "campus show {campus}",
];

#[tokio::test]
async fn every_list_ends_at_the_rows_that_it_shows() {
    let system = with_weeks().await;
    let admin = Listener::of(&system, Role::Admin).await;
    let values = [
        ("{campus}", "SELECT id::text AS id FROM numbered_campuses WHERE number = 7"),
        (
            "{delivery}",
            "SELECT id::text AS id FROM webhook_logs ORDER BY received_at OFFSET 100000 LIMIT 1",
        ),
        ("{letter}", "SELECT id::text AS id FROM dead_letters ORDER BY dead_at OFFSET 300 LIMIT 1"),
    ];
    let mut lists = LISTS.map(str::to_owned);
    for (name, query) in values {
        let value = system.database.rows(query, &[]).await[0]["id"].as_str().unwrap().to_owned();
        lists = lists.map(|list| list.replace(name, &value));
    }
    let mut faults = Vec::new();
    for list in lists {
        faults.extend(faults_of(&system, &admin, &list).await);
    }
    faults.extend(faults_of(&system, &admin, "status").await);
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Runs a command past the listener, and answers what is wrong with its statements.
async fn faults_of(system: &TestSystem, listener: &Listener, command: &str) -> Vec<String> {
    let mut variables = system.variables(Role::Admin).clone();
    variables.insert("DATABASE_URL".to_owned(), listener.url().to_owned());
    let arguments: Vec<&str> = command.split(' ').collect();
    run_to_end("faithctl", &arguments, b"", variables).await.unwrap().success();
    let statements = listener.statements();
    let large: Vec<_> = statements.iter().filter(|statement| statement.is_about_much()).collect();
    assert!(!large.is_empty(), "{command} was not heard");
    let faults = large.iter().flat_map(|statement| {
        statement.faults().into_iter().map(move |fault| format!("{fault}, by {}", statement.text))
    });
    faults.map(|fault| format!("{command}: {fault}")).collect()
}

#[tokio::test]
async fn gauges_cost_programs_no_look_at_every_row() {
    let system = with_weeks().await;
    let oldest = "SELECT oldest_retrying_event_age()";
    let mut faults = Vec::new();
    for role in [Role::Worker, Role::Gateway] {
        let listener = Listener::of(&system, role).await;
        let (client, connection) =
            tokio_postgres::connect(listener.url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        if role == Role::Worker {
            assert!(store::dead_letters::waiting(&client).await.unwrap().len() > 3);
        } else {
            let age: f64 = client.query_one(oldest, &[]).await.unwrap().get(0);
            assert!(age > 60.0, "{age}");
        }
        let statements = listener.statements();
        assert!(!statements.is_empty());
        faults.extend(statements.iter().flat_map(super::statements::Statement::faults));
    }
    assert_eq!(json!(faults), json!([]));
}
