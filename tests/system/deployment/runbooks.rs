//! The runbooks' own commands, run as they stand there, on a system that has what they speak of. Those of
//! RabbitMQ for a lost node are in `faults/cluster.rs`.

use std::{collections::BTreeMap, fs};

use core_sim::{DEFAULT_PASSWORD, Options};
use harness::{Finished, Role, TestSystem};
use support::program::run_to_end;
use uuid::Uuid;

use super::{deploy, text};
use crate::worker::campus_under_test::CampusUnderTest;

/// 32 characters that a webhook secret may have.
const SECRET: &str = "0123456789abcdefghijklmnopqrstuv";

/// The lines of a page's blocks of commands, without comments.
fn commands(page: &str) -> Vec<String> {
    let mut is_block = false;
    let mut commands = Vec::new();
    for line in page.lines().map(str::trim) {
        if line.starts_with("```") {
            is_block = line == "```sh";
        } else if is_block {
            let command = line.split(" #").next().unwrap_or(line);
            commands.push(command.trim().to_owned());
        }
    }
    commands
}

/// The words of a command, as a shell reads them, without redirections.
fn words(command: &str) -> Vec<String> {
    let command = command.split(['<', '>', '|']).next().unwrap_or(command);
    let parts = command.split('\'').enumerate();
    parts
        .flat_map(|(number, part)| {
            // Every second part stands between quotes.
            let words: Vec<&str> =
                if number % 2 == 1 { vec![part] } else { part.split_whitespace().collect() };
            words.into_iter().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// What stands for something in the runbooks, and what it is here.
struct TestBed<'a> {
    system: &'a TestSystem,
    means: BTreeMap<&'static str, String>,
}

impl TestBed<'_> {
    async fn run(&self, command: &str) -> Option<Finished> {
        let mut words = words(command);
        for word in &mut words {
            if let Some(meaning) = self.means.get(word.as_str()) {
                word.clone_from(meaning);
            }
        }
        let program = words.remove(0);
        let role = match program.as_str() {
            "faithctl" => Role::Admin,
            "reconciler" => Role::Reconciler,
            _ => return None,
        };
        let is_dry = words.iter().any(|word| word == "--dry-run");
        if words.iter().any(|word| word == "replay" || word == "discard") && !is_dry {
            // Where there is no terminal, as dead-letters.md says.
            words.push("--yes".to_owned());
        }
        let input = if words.iter().any(|word| word == "--secret-stdin") {
            SECRET
        } else {
            DEFAULT_PASSWORD
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let variables = self.system.variables(role).clone();
        Some(run_to_end(&program, &words, input.as_bytes(), variables).await.unwrap())
    }

    /// Letters, deliveries and a run, for the commands that look at some.
    async fn new(system: &TestSystem) -> TestBed<'_> {
        let campus = CampusUnderTest::first(system);
        let member = system.core.member_id(campus.church_id(), 0).unwrap();
        let event = campus.post("member.updated", &member).await;
        campus.end_of(&event).await;
        system.reconcile(&["--once", "--campus", &campus.id]).await.success();
        let letter = Uuid::new_v4().to_string();
        for (id, cause) in [
            (letter.as_str(), "core_unavailable"),
            (&Uuid::new_v4().to_string(), "core_unavailable"),
            (&Uuid::new_v4().to_string(), "member_not_found"),
        ] {
            let insert = format!(
                "INSERT INTO dead_letters (id, event_id, campus_id, event_type, member_id, cause, reason,
                     attempts, first_failed_at, dead_at, received_at, envelope)
                 VALUES ('{id}', '{id}', '{campus}', 'member.updated', '{member}', '{cause}', 'Why.',
                     3, now(), now(), now(), jsonb_build_object('schema_version', 1, 'delivery_id', '{id}',
                     'event_id', '{id}', 'event_type', 'member.updated', 'campus_id', '{campus}',
                     'member_id', '{member}', 'received_at', now()))",
                campus = campus.id,
            );
            campus.execute(&insert).await;
        }
        let runs = system.faithctl(&["runs", "list", "--json"]).await.json();
        let email = Options::default().churches[0].email.clone();
        let means = [
            ("CAMPUS", campus.id.clone()),
            ("CAUSE", "core_unavailable".to_owned()),
            ("EVENT_ID", event),
            ("ID", letter),
            ("RUN", runs[0]["id"].as_str().unwrap().to_owned()),
            ("N", "1".to_owned()),
            ("sync@example.org", email),
            ("https://faithtracker.example.org", system.gateway_url()),
            ("http://GATEWAY:8080", system.gateway_url()),
        ];
        TestBed { system, means: means.into() }
    }
}

/// Whether it did what the runbook says, or truly found nothing to do.
fn is_well(finished: &Finished) -> bool {
    match finished.code {
        Some(0) => true,
        Some(3) => finished.command.contains("--dry-run"),
        // No letter is resolved, no delivery rejected; and no run is held.
        Some(1) => ["matches", "held"].iter().any(|word| finished.stderr.contains(word)),
        _ => false,
    }
}

#[tokio::test]
async fn every_command_of_a_runbook_is_one() {
    let system = TestSystem::builder().reconcilers(1).spawn().await;
    let bed = TestBed::new(&system).await;
    let mut tried = 0;
    for page in fs::read_dir(deploy("runbooks")).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        for command in commands(&text(&format!("runbooks/{name}"))) {
            let Some(finished) = bed.run(&command).await else { continue };
            assert!(is_well(&finished), "{name}: {command}\n{finished:?}");
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried} commands");
}

#[test]
fn commands_are_read_as_a_shell_reads_them() {
    let page = "Text.\n```sh\n  a 'b c' --d   # why\n```\nfaithctl text\n";
    assert_eq!(commands(page), ["a 'b c' --d"]);
    assert_eq!(words("a 'b c' --d < file"), ["a", "b c", "--d"]);
}
