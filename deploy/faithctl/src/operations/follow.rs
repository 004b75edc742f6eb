//! Watching an operation. It goes on whatever becomes of whoever watches.

use std::time::Duration;

use ::operations::{Snapshot, look};
use database::Client;
use store::{OperationState, records::OperationRecord};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{progress::Progress, request::Request};
use crate::{
    environment::Environment,
    failure::{Interrupted, Reported, in_words, say},
};

/// Between looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Between words about what lasts.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// How long Postgres may be away before the watching ends.
const POSTGRES_TIME_LIMIT: Duration = Duration::from_mins(2);

/// An operation, as it was when the watching ended.
pub(crate) struct Followed {
    pub(crate) operation: OperationRecord,
    /// What was said of it that somebody may want to know who reads no stderr.
    is_watched: bool,
}

impl Followed {
    /// How many were done, of those that it is about.
    pub(crate) fn done(&self) -> u64 {
        self.operation.done.unsigned_abs()
    }

    /// Whether the operation came to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.operation.state() == Some(OperationState::Done)
    }

    /// The end of the command: an error where the operation came to no good end, or was not watched to it.
    pub(crate) fn verdict(&self) -> anyhow::Result<()> {
        let OperationRecord { id, error, .. } = &self.operation;
        match self.operation.state() {
            Some(OperationState::Done) => Ok(()),
            Some(OperationState::Failed) => {
                anyhow::bail!("operation {id} failed: {}", error.as_deref().unwrap_or("no reason"))
            }
            Some(OperationState::Stopped) => {
                say(&format!("operation {id} was stopped: what it did not come to stays as it is"));
                Err(Reported.into())
            }
            _ if self.is_watched => {
                say(&format!(
                    "operation {id} goes on without this command. How it stands: `faithctl operations show {id}`; to end \
                     it: `faithctl operations stop {id}`"
                ));
                Err(Interrupted.into())
            }
            _ => {
                say(&format!("how it stands: `faithctl operations show {id}`"));
                Ok(())
            }
        }
    }
}

/// Leaves an operation that was asked for to whoever carries it out, who notes its end in the audit; and watches it, unless the
/// request says otherwise.
pub(crate) async fn watch_requested(
    request: &Request,
    operation: OperationRecord,
    verb: &'static str,
    client: Client,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<Followed> {
    environment.change().settled();
    if request.detach {
        return Ok(Followed { operation, is_watched: false });
    }
    follow(operation, verb, client, environment, interrupted).await
}

/// Watches an operation to its end, or until the command is interrupted. `verb` says what becomes of each: `replayed`.
async fn follow(
    operation: OperationRecord,
    verb: &'static str,
    client: Client,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<Followed> {
    let total = operation.matched.map(i64::unsigned_abs);
    say(&format!("operation {}", operation.id));
    let mut watch = Watch {
        environment,
        client,
        id: operation.id,
        progress: Progress::new(verb, total),
        said: None,
    };
    let mut operation = operation;
    while !operation.has_ended() && !interrupted.is_cancelled() {
        operation = watch.look().await?.operation;
        if !operation.has_ended() {
            interrupted.run_until_cancelled(sleep(LOOK_EVERY)).await;
        }
    }
    watch.progress.finish();
    Ok(Followed { operation, is_watched: true })
}

struct Watch<'a> {
    environment: &'a Environment,
    client: Client,
    id: Uuid,
    progress: Progress,
    /// What was said last, and when.
    said: Option<(String, Instant)>,
}

impl Watch<'_> {
    /// Looks, again and again while Postgres is away.
    async fn look(&mut self) -> anyhow::Result<Snapshot> {
        let since = Instant::now();
        loop {
            let error = match look(&self.client, self.id).await {
                Ok(Some(snapshot)) => {
                    self.show(&snapshot);
                    return Ok(snapshot);
                }
                Ok(None) => anyhow::bail!("operation {} is not there any more", self.id),
                Err(error) => anyhow::Error::from(error),
            };
            let error = match self.environment.client().await {
                Ok(client) => {
                    self.client = client;
                    error
                }
                Err(error) => error,
            };
            if since.elapsed() > POSTGRES_TIME_LIMIT {
                return Err(error.context(format!(
                    "operation {} cannot be watched any more; it goes on",
                    self.id
                )));
            }
            self.say(format!("{}: waiting for it; the operation goes on", in_words(&error)));
            sleep(LOOK_EVERY).await;
        }
    }

    fn show(&mut self, snapshot: &Snapshot) {
        let operation = &snapshot.operation;
        self.progress.set(operation.done.unsigned_abs(), operation.matched.map(i64::unsigned_abs));
        match standing(snapshot) {
            Some(words) => self.say(words),
            None => self.said = None,
        }
    }

    /// Says what lasts when it begins, and now and then.
    fn say(&mut self, words: String) {
        let is_new = match &self.said {
            Some((said, at)) => *said != words || at.elapsed() >= SAY_EVERY,
            None => true,
        };
        if is_new {
            self.progress.note(&words);
            self.said = Some((words, Instant::now()));
        }
    }
}

/// Why nothing is done at this moment, where that is worth a word.
fn standing(snapshot: &Snapshot) -> Option<String> {
    let operation = &snapshot.operation;
    let id = operation.id;
    if let Some(first) = snapshot.waits_for.first() {
        return Some(format!(
            "it waits for operation {first}, which is about some of the same: `faithctl operations show {first}`"
        ));
    }
    if snapshot.is_orphaned() {
        let program = operation.kind().map_or("program", store::OperationKind::program);
        return Some(format!(
            "it waits: no {program} runs. It is carried out as soon as one does; Ctrl-C leaves it waiting, `faithctl \
             operations stop {id}` takes it back"
        ));
    }
    match operation.state() {
        Some(OperationState::Paused) => {
            Some(format!("it is paused: `faithctl operations resume {id}` lets it go on"))
        }
        _ => operation.error.clone().filter(|_| !operation.has_ended()),
    }
}
