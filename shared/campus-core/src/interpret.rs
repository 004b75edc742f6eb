//! What the core's answer means for a campus.

use chrono::{DateTime, Utc};
use core_api::Keys;
use member::{Column, CoreMember, PhotoRefusal};
use retry::{Cause, Failure, FailureKind};
use store::{CampusConfig, Finding};

/// Maps and filters what the core answered. A member of another church is never a finding.
pub fn interpret_response(
    campus: &CampusConfig,
    member: &CoreMember,
    now: DateTime<Utc>,
) -> Result<Finding, Failure> {
    match member.church_id() {
        Some(church) if church == campus.core_church_id => {}
        Some(_) => {
            return Err(Failure::new(
                Cause::WrongChurch,
                FailureKind::Refusal,
                "The core answered with a member of another church.",
            ));
        }
        None => {
            return Err(Failure::new(
                Cause::CoreBadResponse,
                FailureKind::Refusal,
                "The core answered with a member that names no church.",
            ));
        }
    }
    let verdict = member::map(member, &campus.filter, &campus.locale(now)).map_err(|missing| {
        Failure::new(
            Cause::CoreBadResponse,
            FailureKind::Refusal,
            format!("The filter cannot be applied: {missing}."),
        )
    })?;
    Ok(verdict.into())
}

/// Whether the campus's filter cannot decide about the member, because the answer lacks a field that it names.
pub fn lacks_filter_fields(campus: &CampusConfig, member: &CoreMember) -> bool {
    !member.is_deleted() && !campus.filter.missing_fields(member).is_empty()
}

/// What of the core's members [`interpret_response`] looks at for this campus.
pub fn keys(campus: &CampusConfig) -> Keys {
    Keys::only(member::KEYS.into_iter().chain(campus.filter.fields()))
}

/// Why the photo that the core has of the member is not kept, where it is not.
pub fn photo_refusal(finding: &Finding) -> Option<PhotoRefusal> {
    let Finding::Read(verdict) = finding else { return None };
    verdict.profile()?.photo_refusal
}

/// The columns that keep what they have, because the core's value cannot be read.
pub fn unreadable(finding: &Finding) -> &[Column] {
    let Finding::Read(verdict) = finding else { return &[] };
    verdict.profile().map_or(&[], |profile| &profile.unreadable)
}
