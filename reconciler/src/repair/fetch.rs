//! Members asked for by id: the list finds, the id decides (rule reconciler-1).

use std::sync::Arc;

use campus_core::{interpret_response, keys, photo_refusal};
use chrono::NaiveDate;
use core_api::CoreError;
use futures_util::{StreamExt, stream};
use retry::{Cause, classify};
use store::Finding;

use crate::{
    core_retry::{AT_ONCE, CoreFailure},
    error::RunError,
    repair::batches::HEAVIEST_BATCH,
    report::counters::RunCounters,
    run::context::Run,
};

/// What the core says of a member.
#[derive(Debug, Clone)]
pub(super) enum CoreAnswer {
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
pub(super) async fn answers(
    run: &Run,
    counters: &mut RunCounters,
    members: &[&str],
) -> Result<Vec<CoreAnswer>, RunError> {
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
                    CoreAnswer::Found(finding, campus.config.next_birthday(&member, now))
                }
                Err(failure) if failure.cause == Cause::WrongChurch => CoreAnswer::Moved,
                Err(failure) => CoreAnswer::Undecided(failure.reason),
            },
            Err(CoreFailure::Member(CoreError::NotFound { .. } | CoreError::Gone { .. })) => {
                CoreAnswer::Found(Finding::ReadGone, None)
            }
            Err(CoreFailure::Member(error)) => {
                let failure = classify(&error);
                if failure.cause == Cause::CoreRejectedLogin {
                    return Err(RunError::Silent(failure.reason));
                }
                CoreAnswer::Undecided(failure.reason)
            }
            Err(CoreFailure::Core(error)) => return Err(RunError::silent(error)),
        });
        if weight >= HEAVIEST_BATCH {
            break;
        }
    }
    drop(coming);
    counters.asked += answers.len() as u64;
    Ok(answers)
}
