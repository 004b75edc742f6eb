//! Members asked for by id: the list finds, the id decides.

use std::sync::Arc;

use campus_core::{interpret_response, keys, photo_refusal};
use chrono::NaiveDate;
use core_api::CoreError;
use futures_util::{StreamExt, stream};
use retry::{Cause, classify};
use store::Finding;

use crate::{
    core_retry::Unanswered, error::RunError, repair::apply::HEAVIEST_BATCH, run::reconcile::Run,
};

/// Requests under way at once: webhooks come first.
const AT_ONCE: usize = 8;

/// What the core says of a member.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With the birthday on which the sync filter may decide otherwise about the same answer.
    Found(Finding, Option<NaiveDate>),
    /// It has the member in another church.
    Moved,
    /// Nothing can be decided, and why: the core fails on this one, does not show it, or answers
    /// something odd.
    Undecided(String),
}

/// What the core says of the first of `members`, in their order: of all of them, or of as many as
/// fit into memory with their photos.
pub(crate) async fn answers(run: &mut Run, members: &[&str]) -> Result<Vec<Answer>, RunError> {
    let core = Arc::clone(&run.core);
    let (campus, now) = (&run.campus, run.now);
    let keys = keys(&campus.config);
    let mut coming =
        stream::iter(members).map(|member| core.member(member, &keys)).buffered(AT_ONCE);
    let mut answers = Vec::with_capacity(members.len());
    let mut weight = 0;
    while let Some(answer) = coming.next().await {
        answers.push(match answer {
            Ok(member) => match interpret_response(&campus.config, &member, now) {
                Ok(finding) => {
                    weight += finding.photo().map_or(0, |photo| photo.image.len());
                    if let Some(refusal) = photo_refusal(&finding) {
                        tracing::warn!(campus_id = %campus.id, %refusal, "a photo is not kept");
                    }
                    Answer::Found(finding, campus.config.next_birthday(&member, now))
                }
                Err(failure) if failure.cause == Cause::WrongChurch => Answer::Moved,
                Err(failure) => Answer::Undecided(failure.reason),
            },
            Err(Unanswered::Member(CoreError::NotFound { .. } | CoreError::Gone { .. })) => {
                Answer::Found(Finding::ReadGone, None)
            }
            Err(Unanswered::Member(error)) => {
                let failure = classify(&error);
                if failure.cause == Cause::CoreRejectedLogin {
                    return Err(RunError::Silent(failure.reason));
                }
                Answer::Undecided(failure.reason)
            }
            Err(Unanswered::Core(error)) => return Err(RunError::silent(error)),
        });
        if weight >= HEAVIEST_BATCH {
            break;
        }
    }
    drop(coming);
    run.tally.asked += answers.len() as u64;
    Ok(answers)
}
