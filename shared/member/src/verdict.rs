//! What becomes of a member here: the one decision that worker and reconciler share.

use thiserror::Error;

use crate::{CoreMember, Filter, Locale, Profile};

/// Why this system archived a member. An archive with any other reason, or none, was made by a person, and
/// only a person lifts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArchiveReason {
    /// The core deleted the member.
    Deleted,
    /// The core says that the member is not active.
    Deactivated,
    /// The campus's sync filter does not keep the member.
    Filtered,
}

impl ArchiveReason {
    /// Every reason of ours.
    pub const ALL: [Self; 3] = [Self::Deleted, Self::Deactivated, Self::Filtered];

    /// The text in `members.archived_reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "Deleted in core system",
            Self::Deactivated => "Deactivated in core system",
            Self::Filtered => "No longer matches sync filter rules",
        }
    }
}

/// What to do with a member that the core answered.
///
/// | verdict | known here | unknown here |
/// |---|---|---|
/// | `Active` | updated; unarchived if one of our reasons archived it | created |
/// | `Unstated` | updated; an archive stays | created |
/// | `Inactive` | updated, archived | created archived |
/// | `Filtered` | updated, archived | not created |
/// | `Deleted` | archived | not created |
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The core says that the member is active, and the filter keeps it.
    Active(Profile),
    /// The filter keeps the member, and the core does not say whether it is active: nothing that would bring
    /// anybody back.
    Unstated(Profile),
    /// The core says that the member is not active.
    Inactive(Profile),
    /// The filter does not keep the member.
    Filtered(Profile),
    /// The core says that the member is deleted.
    Deleted,
}

impl Verdict {
    /// Why the member is archived, where it is.
    pub fn archive_reason(&self) -> Option<ArchiveReason> {
        match self {
            Self::Active(_) | Self::Unstated(_) => None,
            Self::Inactive(_) => Some(ArchiveReason::Deactivated),
            Self::Filtered(_) => Some(ArchiveReason::Filtered),
            Self::Deleted => Some(ArchiveReason::Deleted),
        }
    }

    /// Whether a member that is not known here yet is created.
    pub fn creates_unknown(&self) -> bool {
        matches!(self, Self::Active(_) | Self::Unstated(_) | Self::Inactive(_))
    }

    /// The columns to write. None for a deleted member: only its archive flag changes.
    pub fn profile(&self) -> Option<&Profile> {
        match self {
            Self::Active(profile)
            | Self::Unstated(profile)
            | Self::Inactive(profile)
            | Self::Filtered(profile) => Some(profile),
            Self::Deleted => None,
        }
    }
}

/// A key that the filter asks for is not in the core's answer at all, so what the filter would say of it is a
/// guess, and a guess may archive everybody. Null is an answer; absence is a bad one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the core's answer lacks what the sync filter asks for: {}", .fields.join(", "))]
pub struct MissingFields {
    /// The filter's fields that are missing.
    pub fields: Vec<String>,
}

/// The keys of the core's member that [`map`] and the mapping look at; a filter names its own. Whoever
/// reads no more of a member decides the same about it.
pub const KEYS: [&str; 16] = [
    "id",
    "church_id",
    "is_deleted",
    "is_active",
    "full_name",
    "name",
    "first_name",
    "last_name",
    "phone",
    "phone_whatsapp",
    "gender",
    "date_of_birth",
    "member_status",
    "photo_url",
    "photo_thumbnail_url",
    "photo_base64",
];

/// Decides what becomes of a member.
///
/// Deleted comes first: it needs no filter. Then the filter, which says whom this campus has at all; an
/// inactive member outside of it is [`Verdict::Filtered`], so that an unknown one is not brought in just to be
/// archived.
pub fn map(
    member: &CoreMember,
    filter: &Filter,
    locale: &Locale,
) -> Result<Verdict, MissingFields> {
    if member.is_deleted() {
        return Ok(Verdict::Deleted);
    }
    let missing = filter.missing_fields(member);
    if !missing.is_empty() {
        return Err(MissingFields { fields: missing.into_iter().map(ToOwned::to_owned).collect() });
    }
    let profile = Profile::of(member, locale);
    Ok(if !filter.keeps(member, locale.today) {
        Verdict::Filtered(profile)
    } else if member.is_inactive() {
        Verdict::Inactive(profile)
    } else if member.is_active() {
        Verdict::Active(profile)
    } else {
        Verdict::Unstated(profile)
    })
}
