//! Operations that change letters and send nothing: `discard` and `restore`.

use database::Client;
use indicatif::HumanCount;
use serde_json::json;
use store::{OperationKind, records::OperationRecord};
use tokio_util::sync::CancellationToken;

use super::selection::{Selection, in_words, letters, preview};
use crate::{
    confirm,
    environment::Environment,
    operations::{Followed, Request, is_of, requester, watch_requested},
    output,
};

/// What a command asks for.
pub(super) struct Change<'a> {
    pub(super) kind: OperationKind,
    /// `discard`.
    pub(super) verb: &'static str,
    /// `discarded`: said of what was done, and the number's key in JSON.
    pub(super) done: &'static str,
    pub(super) note: Option<String>,
    pub(super) selection: &'a Selection,
    pub(super) request: &'a Request,
    pub(super) dry_run: bool,
    pub(super) yes: bool,
    pub(super) json: bool,
}

impl Change<'_> {
    pub(super) async fn ask_for(
        &self,
        environment: &Environment,
        interrupted: &CancellationToken,
    ) -> anyhow::Result<()> {
        self.selection.check(self.kind)?;
        if !self.dry_run {
            confirm::require(self.yes)?;
        }
        let client = environment.client().await?;
        if self.dry_run {
            let preview = preview(&self.selection.choice(self.kind), &client).await?;
            return self.report(preview.matched, None);
        }
        let operation = match self.request.asked_before(&client, self.kind).await? {
            Some(operation) => operation,
            None => self.request(&client, environment, interrupted).await?,
        };
        let followed =
            watch_requested(self.request, operation, self.done, client, environment, interrupted)
                .await?;
        self.report(followed.operation.matched.unwrap_or(0), Some(&followed))?;
        followed.verdict()
    }

    async fn request(
        &self,
        client: &Client,
        environment: &Environment,
        interrupted: &CancellationToken,
    ) -> anyhow::Result<OperationRecord> {
        let choice = self.selection.choice(self.kind);
        let preview = preview(&choice, client).await?;
        let mut verb = self.verb.to_owned();
        verb[..1].make_ascii_uppercase();
        let question = format!("{verb} {}", in_words(&preview));
        confirm::ask(&question, environment, self.yes, interrupted).await?;
        let by = requester(self.request);
        let operation = choice.request(client, &preview, None, self.note.clone(), by).await?;
        is_of(operation, self.kind)
    }

    fn report(&self, matched: i64, followed: Option<&Followed>) -> anyhow::Result<()> {
        let done = followed.map_or(0, Followed::done);
        if self.json {
            let mut object = json!({
                "matched": matched,
                "dry_run": self.dry_run,
                "operation_id": followed.map(|followed| followed.operation.id),
            });
            object[self.done] = json!(done);
            return output::object(&object);
        }
        output::line(&match followed {
            None => format!("would {} {}", self.verb, letters(matched)),
            Some(followed) if self.request.detach => {
                format!("operation {} {}s {}", followed.operation.id, self.verb, letters(matched))
            }
            Some(_) => format!("{} {} of {}", self.done, HumanCount(done), letters(matched)),
        })
    }
}
