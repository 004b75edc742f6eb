//! Runs that somebody asked for, in the audit. A run is many transactions, so that its entry is in none of them: whether
//! one can be added is asked before anything is begun.

use database::{DatabaseError, Pool};
use serde_json::json;
use store::{
    AuditResult, AuditVia, RunStatus,
    audit::{Actor, AuditEntry, is_writable},
};
use uuid::Uuid;

use crate::{error::RunError, run::locked::Ended};

/// Notes the runs of a command.
pub(crate) struct RunAudit {
    pool: Pool,
    actor: Actor,
    /// So many archives that were held are let through.
    allow_archive: Option<u64>,
}

impl RunAudit {
    /// Of whoever runs this process. An error where the audit cannot be written: then nothing is to be begun.
    pub(crate) async fn begin(pool: &Pool, allow_archive: Option<u64>) -> anyhow::Result<Self> {
        let client = pool.get().await?;
        let can_write =
            is_writable(&**client).await.map_err(DatabaseError::during("look at the audit"))?;
        anyhow::ensure!(
            can_write,
            "nothing was begun: the audit cannot be written (`faithctl doctor` says what is missing)"
        );
        let actor = Actor::of_this_process(AuditVia::Reconciler);
        Ok(Self { pool: pool.clone(), actor, allow_archive })
    }

    /// A campus's run has ended.
    pub(crate) async fn note(&self, campus: Uuid, ended: &Ended, is_interrupted: bool) {
        let (result, mut subject) = match ended {
            Ok(Some(report)) => {
                let result = match report.outcome {
                    RunStatus::Error if is_interrupted => AuditResult::Stopped,
                    RunStatus::Error => AuditResult::Failed,
                    _ => AuditResult::Done,
                };
                (result, report.numbers())
            }
            // Nothing was to be done.
            Ok(None) => return,
            // What else an error says may name a member.
            Err(error) if is_refusal(error) => {
                (AuditResult::Refused, json!({"error": error.to_string()}))
            }
            Err(_) => (AuditResult::Failed, json!({})),
        };
        if let Some(archives) = self.allow_archive {
            subject["allow_archive"] = json!(archives);
        }
        let entry = AuditEntry {
            actor: &self.actor,
            action: if self.allow_archive.is_some() { "allow_archives" } else { "reconcile" },
            campus: Some(campus),
            subject: &subject,
            result,
            operation: None,
        };
        let noted = async {
            let client = self.pool.get().await?;
            entry.record(&**client).await.map_err(DatabaseError::during("add to the audit"))
        };
        match noted.await {
            Ok(recorded) => recorded.committed(),
            Err(error) => tracing::error!(%campus, %error, "the audit does not have this run"),
        }
    }
}

fn is_refusal(error: &RunError) -> bool {
    matches!(
        error,
        RunError::UnknownCampus(_)
            | RunError::UnderWay
            | RunError::Paused(_)
            | RunError::NotAllowed { .. }
    )
}
