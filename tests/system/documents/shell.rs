//! A shell in which the documents' commands do what they say: the programs under their own names, and values for what a
//! document leaves to its reader.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use core_sim::DEFAULT_PASSWORD;
use harness::{Role, TestSystem};
use support::program::{Finished, binary};

/// 32 characters that a webhook secret may have.
pub(super) const SECRET: &str = "0123456789abcdefghijklmnopqrstuv";

/// A shell of an operator, as faith_admin.
pub(super) struct Shell {
    folder: PathBuf,
    variables: BTreeMap<String, String>,
    /// What stands for something in the documents, and what it is here.
    means: Vec<(String, String)>,
}

impl Shell {
    /// One for this system and its first campus.
    pub(super) fn of(system: &TestSystem) -> Self {
        let folder = system.folder().path().join("shell");
        fs::create_dir_all(folder.join("bin")).unwrap();
        let shell =
            Self { folder, variables: system.variables(Role::Admin).clone(), means: Vec::new() };
        shell.program("faithctl", &[], &format!("exec {}", binary("faithctl").unwrap().display()));
        shell.program(
            "reconciler",
            &variables_of(system, Role::Reconciler),
            &format!("exec {}", binary("reconciler").unwrap().display()),
        );
        shell.file("password-file", DEFAULT_PASSWORD);
        shell.file("secret-file", SECRET);
        let mut shell =
            shell.meaning("CAMPUS", &system.campus.id).meaning("CAUSE", "core_unavailable");
        shell.variables.insert("OWNER_URL".to_owned(), system.database.url());
        for (kind, port) in [("gateway", 9101), ("worker", 9102), ("reconciler", 9103)] {
            if system.replicas(kind) > 0 {
                let written = format!("http://{}:{port}", kind.to_uppercase());
                shell = shell.meaning(&written, &system.admin_url(kind, 0));
            }
        }
        if system.replicas("gateway") > 0 {
            let url = system.gateway_url();
            shell = shell.meaning("https://faithtracker.example.org", &url);
            shell = shell.meaning("http://GATEWAY:8080", &url);
        }
        shell
    }

    /// What a word of the documents stands for from here on.
    #[must_use]
    pub(super) fn meaning(mut self, word: &str, meaning: &str) -> Self {
        self.set_meaning(word, meaning);
        self
    }

    pub(super) fn set_meaning(&mut self, word: &str, meaning: &str) {
        self.means.retain(|(known, _)| known != word);
        self.means.push((word.to_owned(), meaning.to_owned()));
        self.means.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    }

    /// A file in the folder in which commands are typed.
    pub(super) fn file(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    /// A program of this shell: a script with variables of its own.
    pub(super) fn program(&self, name: &str, variables: &[(String, String)], script: &str) {
        let set: Vec<String> =
            variables.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        let set = set.concat();
        let path = self.folder.join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{set}{script} \"$@\"\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a command as it is written. One that asks before it does something is typed on a terminal, and answered.
    pub(super) async fn run(&self, written: &str) -> Finished {
        let text = self.with_meanings(written);
        let is_asked =
            ["replay", "discard", "delete"].iter().any(|word| text.contains(&format!(" {word} ")))
                && !text.contains("--dry-run")
                && text.starts_with("faithctl");
        let mut command = if is_asked { terminal(&text) } else { Command::new("bash") };
        if !is_asked {
            command.args(["-c", &text]);
        }
        command
            .current_dir(&self.folder)
            .env_clear()
            .envs(&self.variables)
            .env(
                "PATH",
                format!("{}:/usr/local/bin:/usr/bin:/bin", self.folder.join("bin").display()),
            )
            .env("HOME", &self.folder)
            .env("TERM", "dumb")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let running = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn()?;
            let mut input = child.stdin.take().expect("it is piped");
            if is_asked {
                // One that does not ask after all closes its input: no harm.
                input.write_all(b"y\n").ok();
            }
            drop(input);
            child.wait_with_output()
        });
        let output = running.await.unwrap().unwrap();
        Finished {
            command: text,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn with_meanings(&self, written: &str) -> String {
        let mut rest = written;
        let mut text = String::new();
        'next: while let Some(first) = rest.chars().next() {
            let is_within = text.ends_with(is_of_word) && is_of_word(first);
            for (word, meaning) in self.means.iter().filter(|_| !is_within) {
                if let Some(after) = rest.strip_prefix(word.as_str())
                    && !(word.ends_with(is_of_word) && after.starts_with(is_of_word))
                {
                    text.push_str(meaning);
                    rest = after;
                    continue 'next;
                }
            }
            text.push(first);
            rest = &rest[first.len_utf8()..];
        }
        text
    }
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '-'
}

/// The same command on a terminal of its own.
fn terminal(text: &str) -> Command {
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--echo", "never", "--command", text, "/dev/null"]);
    command
}

/// What a program under this role finds in its environment.
pub(super) fn variables_of(system: &TestSystem, role: Role) -> Vec<(String, String)> {
    system.variables(role).clone().into_iter().collect()
}

/// A script of RabbitMQ's for one node.
pub(super) fn of_node(environment: &[(&'static str, String)]) -> Vec<(String, String)> {
    environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}
