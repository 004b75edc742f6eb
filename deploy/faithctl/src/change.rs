//! The change that a command makes, from being asked for to its entry in the audit (rule faithctl-6).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clap::{ArgAction, ArgMatches, parser::ValueSource};
use database::{Client, DatabaseConfig, DatabaseError, Error, Transaction, within};
use runtime::SettingError;
use serde_json::{Map, Value, json};
use store::{
    AuditResult, AuditVia,
    audit::{Actor, AuditEntry, Recorded, is_writable},
};
use uuid::Uuid;

use crate::{
    commands::{Effect, effect},
    failure::{Declined, Interrupted, UsageError, in_words, say},
};

/// How long a command that failed may take to say so in the audit.
const NOTE_LIMIT: Duration = Duration::from_secs(3);

/// Options that say nothing of what was asked for.
const OF_OUTPUT: [&str; 4] = ["json", "output", "yes", "detach"];

/// No error is told at more length.
const LONGEST_ERROR: usize = 500;

/// What this process was asked to change, if anything.
pub(crate) struct Change {
    /// As it is called: `campus set`.
    command: String,
    effect: Effect,
    /// What was asked for, by the names of the options. None of them is a secret: those are read from files and stdin.
    options: Map<String, Value>,
    actor: Actor,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    campus: Option<Uuid>,
    operation: Option<Uuid>,
    /// What was done, where that is told at the end.
    subject: Option<Value>,
    /// The audit has the command's true end, or there is none to tell.
    is_settled: bool,
}

impl Change {
    /// What the arguments ask for; `root` is the command that they were read with.
    pub(crate) fn asked(root: &clap::Command, arguments: &ArgMatches) -> Self {
        let (mut command, mut matches, mut names) = (root, arguments, Vec::new());
        while let Some((name, below)) = matches.subcommand() {
            let Some(found) = command.find_subcommand(name) else { break };
            (command, matches) = (found, below);
            names.push(name);
        }
        let called = names.join(" ");
        let effect = if is_given(matches, "dry_run") { Effect::None } else { effect(&called) };
        Self {
            options: options(&called, command, matches),
            command: called,
            effect,
            actor: Actor::of_this_process(AuditVia::Faithctl),
            state: Mutex::default(),
        }
    }

    /// Whoever asks for it.
    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// It is of this campus.
    pub(crate) fn of_campus(&self, campus: Uuid) {
        self.state().campus = Some(campus);
    }

    /// It is about this operation.
    pub(crate) fn of_operation(&self, operation: Uuid) {
        self.state().operation = Some(operation);
    }

    /// What is to be told at its end.
    pub(crate) fn tell(&self, subject: Value) {
        self.state().subject = Some(subject);
    }

    /// There is nothing to tell, or somebody else does: an operation that was begun.
    pub(crate) fn settled(&self) {
        self.state().is_settled = true;
    }

    /// Notes it in the transaction that makes it, and commits both or neither.
    pub(crate) async fn commit(
        &self,
        transaction: Transaction<'_>,
        campus: Option<Uuid>,
        subject: &Value,
    ) -> Result<(), Error> {
        self.commit_part(transaction, campus, subject).await?;
        self.settled();
        Ok(())
    }

    /// The same of one of many transactions: how the command ends is noted beside.
    pub(crate) async fn commit_part(
        &self,
        transaction: Transaction<'_>,
        campus: Option<Uuid>,
        subject: &Value,
    ) -> Result<(), Error> {
        let recorded = self.record(&transaction, campus, subject).await?;
        transaction.commit().await?;
        recorded.committed();
        Ok(())
    }

    /// Notes it in the transaction that makes it, for whoever has more to do there.
    pub(crate) async fn record(
        &self,
        transaction: &Transaction<'_>,
        campus: Option<Uuid>,
        subject: &Value,
    ) -> Result<Recorded, Error> {
        self.entry(campus, subject, AuditResult::Done).record(transaction).await
    }

    /// An error that says so where the audit cannot be written, before anything is changed.
    pub(crate) async fn require_audit(&self, client: &Client) -> anyhow::Result<()> {
        let can_write =
            is_writable(client).await.map_err(DatabaseError::during("look at the audit"))?;
        anyhow::ensure!(
            can_write,
            "nothing was changed: operator_log, the audit, cannot be written (`faithctl doctor` says what is missing)"
        );
        Ok(())
    }

    /// The command has ended: notes how, where no transaction did. A command that changes something is noted here at the
    /// latest, whether or not anybody thought of it.
    pub(crate) async fn end(
        &self,
        result: &anyhow::Result<()>,
        database: Result<DatabaseConfig, SettingError>,
    ) {
        let (campus, subject) = {
            let state = self.state();
            if self.effect == Effect::None || state.is_settled {
                return;
            }
            (state.campus, state.subject.clone())
        };
        // Without a setting that leads to the database there is no audit either.
        let Ok(database) = database else { return };
        let (ended, error) = outcome(result);
        let mut subject = subject.unwrap_or_else(|| json!({"options": self.options}));
        if let Some(error) = error {
            subject["error"] = json!(error);
        }
        let noted = within(NOTE_LIMIT, async {
            let client = database.connect().await?.client;
            let entry = self.entry(campus, &subject, ended);
            entry.record(&client).await.map_err(DatabaseError::during("add to the audit"))
        });
        match noted.await {
            Ok(recorded) => recorded.committed(),
            Err(error) if ended == AuditResult::Done => {
                say(&format!("warning: the audit does not have this change: {error}"));
            }
            Err(error) => tracing::debug!(%error, "the audit does not have this try"),
        }
    }

    fn entry<'a>(
        &'a self,
        campus: Option<Uuid>,
        subject: &'a Value,
        result: AuditResult,
    ) -> AuditEntry<'a> {
        let (actor, action) = (&self.actor, self.command.as_str());
        let operation = self.state().operation;
        AuditEntry { actor, action, campus, subject, result, operation }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a command ended, and why where it did not do what it was asked.
fn outcome(result: &anyhow::Result<()>) -> (AuditResult, Option<String>) {
    let Err(error) = result else { return (AuditResult::Done, None) };
    let ended = if error.is::<Interrupted>() {
        AuditResult::Stopped
    } else if error.is::<UsageError>() || error.is::<Declined>() {
        AuditResult::Refused
    } else {
        AuditResult::Failed
    };
    (ended, Some(in_words(error).chars().take(LONGEST_ERROR).collect()))
}

/// The options that were given, as far as they say what was asked for.
fn options(called: &str, command: &clap::Command, matches: &ArgMatches) -> Map<String, Value> {
    let asked = |argument: &&clap::Arg| {
        let id = argument.get_id().as_str();
        // An erasure names nobody.
        let is_person = called == "erase" && id == "member";
        !is_person
            && !OF_OUTPUT.contains(&id)
            && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    command
        .get_arguments()
        .filter(asked)
        .map(|argument| {
            let id = argument.get_id().as_str();
            // Ids of members have a name of their own, by which an erasure finds them.
            let name = if id == "id" && called.starts_with("members ") { "members" } else { id };
            (name.to_owned(), value(argument, matches))
        })
        .collect()
}

fn value(argument: &clap::Arg, matches: &ArgMatches) -> Value {
    if matches!(argument.get_action(), ArgAction::SetTrue) {
        return Value::Bool(true);
    }
    let given = matches.get_raw(argument.get_id().as_str()).into_iter().flatten();
    let mut values: Vec<String> = given.map(|value| value.to_string_lossy().into_owned()).collect();
    if matches!(argument.get_action(), ArgAction::Append) || values.len() > 1 {
        return json!(values);
    }
    values.pop().map_or(Value::Null, Value::String)
}

fn is_given(matches: &ArgMatches, flag: &str) -> bool {
    matches.try_get_one::<bool>(flag).ok().flatten().copied().unwrap_or(false)
}
