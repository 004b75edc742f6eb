//! A batch whose transaction fails: who of it is to blame, so that the rest is written. A batch that
//! is refused is halved until those are alone whom Postgres does not take; a lock is waited for once (rule worker-8).

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use database::{ANSWER_LIMIT, Fault, fault};
use retry::{Cause, Failure, FailureKind};
use store::{Commit, LockPolicy, Outcome, SyncWriter};
use uuid::Uuid;

use crate::writer::commit::Committed;

/// How often a batch is repeated after a deadlock, and a single row after a refusal that may pass.
const REPEATS: usize = 3;

/// For how long locks are not waited for, once one was met that somebody keeps: its row's events come
/// again, others of the same hand may follow, and each would be waited for.
const WARY: Duration = Duration::from_secs(30);

/// Members refused one after another, none between them written, that are everybody's trouble.
const MANY: usize = 3;

/// The half of a session that commits, and what it has learned of rows that it may not write.
pub(crate) struct Committer {
    writer: SyncWriter,
    wary_until: Option<Instant>,
    /// Members that were refused, for reasons that may be everybody's, since something was written.
    refused: HashSet<(Uuid, String)>,
}

/// Why a part of a batch was not written.
#[derive(Clone)]
struct Refusal {
    fault: Fault,
    /// A trigger raised an exception, and did not choose its SQLSTATE.
    is_raised: bool,
    /// What the server said, and SQLSTATE.
    message: String,
}

impl Refusal {
    const LOST: Self = Self { fault: Fault::Session, is_raised: false, message: String::new() };
}

/// Places in a batch that are tried together.
type Part = Vec<usize>;

impl Committer {
    pub(crate) fn new(writer: SyncWriter) -> Self {
        Self { writer, wary_until: None, refused: HashSet::new() }
    }

    /// Whether the session has ended.
    pub(crate) fn is_lost(&self) -> bool {
        self.writer.is_lost()
    }

    /// Commits as much of a batch as Postgres takes, and answers in its order.
    pub(crate) async fn commit(&mut self, batch: &[&Commit]) -> Vec<Committed> {
        let mut results: Vec<Option<Committed>> = batch.iter().map(|_| None).collect();
        let mut unclear: Vec<(usize, Refusal)> = Vec::new();
        let mut parts: Vec<Part> = vec![(0..batch.len()).collect()];
        while let Some(part) = parts.pop() {
            let commits: Vec<&Commit> = part.iter().map(|place| batch[*place]).collect();
            let refusal = match self.commit_at_once(&commits).await {
                Ok(outcomes) => {
                    for (place, outcome) in part.into_iter().zip(outcomes) {
                        results[place] = Some(outcome.into());
                    }
                    continue;
                }
                Err(refusal) => refusal,
            };
            if refusal.fault == Fault::Session {
                self.writer.give_up();
                break;
            }
            if let Some(smaller) = split(&part, batch, refusal.fault) {
                parts.extend(smaller);
                continue;
            }
            for place in part {
                match refusal.fault {
                    Fault::Locked | Fault::Repeat => results[place] = Some(Committed::locked()),
                    Fault::Row => {
                        results[place] = Some(refused(&refusal.message, FailureKind::Final));
                    }
                    Fault::Unclear | Fault::Session => {
                        unclear.push((place, refusal.clone()));
                    }
                }
            }
        }
        self.blame(batch, unclear, &mut results);
        if !self.is_lost() && results.iter().any(Option::is_none) {
            tracing::error!(commits = batch.len(), "commits have no result; they are read again");
        }
        results.into_iter().map(|result| result.unwrap_or(Committed::Lost)).collect()
    }

    /// Whose trouble it is that some were refused for a reason which may be everybody's: theirs, if the
    /// server takes others, if they are few, or if a trigger says so. Otherwise nothing is said of any
    /// row: they are held.
    fn blame(
        &mut self,
        batch: &[&Commit],
        unclear: Vec<(usize, Refusal)>,
        results: &mut [Option<Committed>],
    ) {
        let wrote_any = results.iter().flatten().any(|result| matches!(result, Committed::Done(_)));
        if wrote_any {
            self.refused.clear();
        }
        self.refused.extend(unclear.iter().filter_map(|(place, _)| match batch[*place] {
            Commit::Member(observation) => Some((observation.campus, observation.member.clone())),
            Commit::Log(_) => None,
        }));
        for (place, refusal) in unclear {
            let is_member = matches!(batch[place], Commit::Member(_));
            if wrote_any || (is_member && (refusal.is_raised || self.refused.len() < MANY)) {
                results[place] = Some(refused(&refusal.message, FailureKind::Refusal));
            } else {
                self.writer.give_up();
            }
        }
    }

    /// Commits all in one transaction, again after a deadlock, and without waiting for locks after one
    /// that was not to be had.
    async fn commit_at_once(&mut self, batch: &[&Commit]) -> Result<Vec<Outcome>, Refusal> {
        let mut last = Refusal::LOST;
        if self.writer.is_lost() {
            return Err(last);
        }
        for _ in 0..REPEATS {
            let is_wary = self.wary_until.is_some_and(|until| Instant::now() < until);
            let policy = if is_wary { LockPolicy::SkipLocked } else { LockPolicy::Wait };
            // What was asked and not answered may be committed or not: as with a lost connection.
            let committing = self.writer.commit(batch, policy);
            let Ok(result) = tokio::time::timeout(ANSWER_LIMIT, committing).await else {
                tracing::warn!(events = batch.len(), "Postgres does not answer a commit");
                return Err(Refusal::LOST);
            };
            let error = match result {
                Ok(outcomes) => {
                    if outcomes.contains(&Outcome::Locked) {
                        self.wary_until = Some(Instant::now() + WARY);
                    }
                    return Ok(outcomes);
                }
                Err(error) => error,
            };
            tracing::warn!(%error, events = batch.len(), "a batch could not be committed");
            last = Refusal {
                fault: fault(&error),
                is_raised: error.code().is_some_and(|code| code.code().starts_with("P0")),
                message: error.to_string(),
            };
            let again = match last.fault {
                Fault::Repeat => true,
                Fault::Unclear => batch.len() == 1,
                Fault::Locked => !is_wary,
                Fault::Row | Fault::Session => false,
            };
            if last.fault == Fault::Locked {
                self.wary_until = Some(Instant::now() + WARY);
            }
            if !again {
                break;
            }
        }
        Err(last)
    }
}

/// Smaller parts to try by themselves: by campus where a lock is in the way, since what somebody keeps
/// may be all of a campus, else in halves. None where there is nothing left to tell apart.
fn split(part: &[usize], batch: &[&Commit], fault: Fault) -> Option<[Part; 2]> {
    let (first, second): (Part, Part) = if fault == Fault::Locked {
        let one = campus(batch[*part.first()?]);
        part.iter().partition(|place| campus(batch[**place]) == one)
    } else {
        let (left, right) = part.split_at(part.len() / 2);
        (left.to_vec(), right.to_vec())
    };
    (!first.is_empty() && !second.is_empty()).then_some([second, first])
}

fn campus(commit: &Commit) -> Uuid {
    match commit {
        Commit::Member(observation) => observation.campus,
        Commit::Log(line) => line.entry.envelope.campus_id,
    }
}

/// Postgres does not take a row, for a reason of the row's own.
fn refused(message: &str, kind: FailureKind) -> Committed {
    let reason = format!("Postgres refuses the member's row: {}.", message.trim_end_matches('.'));
    Committed::Failed(Failure::new(Cause::Database, kind, reason))
}
