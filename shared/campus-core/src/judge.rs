//! What the core's answer means for a campus.

use chrono::{DateTime, Utc};
use member::CoreMember;
use retry::{Cause, Failure, Kind};
use store::{CampusConfig, Finding};

/// Maps and filters what the core answered. A member of another church is never a finding.
pub fn judge(
    campus: &CampusConfig,
    member: &CoreMember,
    now: DateTime<Utc>,
) -> Result<Finding, Failure> {
    match member.church_id() {
        Some(church) if church == campus.core_church_id => {}
        Some(_) => {
            return Err(Failure::new(
                Cause::WrongChurch,
                Kind::Refusal,
                "The core answered with a member of another church.",
            ));
        }
        None => {
            return Err(Failure::new(
                Cause::CoreBadResponse,
                Kind::Refusal,
                "The core answered with a member that names no church.",
            ));
        }
    }
    let verdict =
        member::judge(member, &campus.filter, &campus.locale(now)).map_err(|missing| {
            Failure::new(
                Cause::CoreBadResponse,
                Kind::Refusal,
                format!("The filter cannot be applied: {missing}."),
            )
        })?;
    if let Some(refusal) = verdict.profile().and_then(|profile| profile.photo_refusal) {
        tracing::warn!(campus = %campus.id, %refusal, "a photo is not kept");
    }
    Ok(verdict.into())
}
