//! Members asked for by id: the list finds, the id decides.

use chrono::{DateTime, NaiveDate, Utc};
use core_api::{Charge, CoreError, SessionError};
use futures_util::{StreamExt, stream};
use retry::{Cause, Failure, Kind, classify};
use store::Finding;

use campus_core::{CoreSession, judge, keys, photo_refusal};

use crate::{
    campus::Campus,
    error::{RunError, is_absence},
    patience::{is_refused_login, patiently},
    repair::HEAVIEST_BATCH,
};

/// Requests under way at once: webhooks come first.
const AT_ONCE: usize = 8;
/// So many members in one batch that the core fails on are not those members' fault.
const MOST_SILENCES: usize = 3;

/// What the core says of a member.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With the birthday on which the sync filter may decide otherwise about the same answer.
    Found(Finding, Option<NaiveDate>),
    /// It has the member in another church.
    Moved,
    /// Nothing can be decided: the core fails on this one, does not show it, or answers something odd.
    Undecided,
}

/// What the core says of the first of `members`, in their order: of all of them, or of as many as
/// fit into memory with their photos.
pub(crate) async fn answers(
    core: &CoreSession,
    campus: &Campus,
    now: DateTime<Utc>,
    members: &[&str],
) -> Result<Vec<Answer>, RunError> {
    let (keys, charge) = (keys(&campus.config), Charge::free());
    let mut coming = stream::iter(members)
        .map(|member| patiently(|| core.fetch(member, &keys, &charge), is_final))
        .buffered(AT_ONCE);
    let mut answers = Vec::with_capacity(members.len());
    let (mut silences, mut weight) = (0, 0);
    while let Some(answer) = coming.next().await {
        answers.push(match answer {
            Ok(member) => match judge(&campus.config, &member, now) {
                Ok(finding) => {
                    weight += finding.photo().map_or(0, |photo| photo.image.len());
                    if let Some(refusal) = photo_refusal(&finding) {
                        tracing::warn!(campus_id = %campus.id, %refusal, "a photo is not kept");
                    }
                    Answer::Found(finding, campus.config.next_birthday(&member, now))
                }
                Err(failure) if failure.cause == Cause::WrongChurch => Answer::Moved,
                Err(failure) => undecided(campus, &failure),
            },
            Err(error) if is_absence(&error) => Answer::Found(Finding::ReadGone, None),
            Err(SessionError::Core(error)) => {
                let failure = classify(&error);
                silences += usize::from(failure.kind == Kind::Outage);
                let is_silent = silences >= MOST_SILENCES.min(members.len());
                if failure.cause == Cause::CoreRejectedLogin || (is_silent && silences > 0) {
                    return Err(RunError::Silent(failure.reason));
                }
                undecided(campus, &failure)
            }
            Err(error @ (SessionError::Store(_) | SessionError::Outdated)) => {
                return Err(RunError::Silent(error.to_string()));
            }
        });
        if weight >= HEAVIEST_BATCH {
            break;
        }
    }
    Ok(answers)
}

/// A refusal stays one however often it is asked for.
fn is_final(error: &CoreError) -> bool {
    is_refused_login(error)
        || matches!(
            error,
            CoreError::NotFound { .. }
                | CoreError::Gone { .. }
                | CoreError::BadResponse { .. }
                | CoreError::TooLarge { .. }
        )
}

fn undecided(campus: &Campus, failure: &Failure) -> Answer {
    let (cause, reason) = (failure.cause.as_str(), &failure.reason);
    tracing::warn!(campus = %campus.id, cause, reason, "a member stays as it is");
    Answer::Undecided
}
