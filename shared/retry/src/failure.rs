//! Failures, sorted once: by cause for people and metrics, by kind for what is done about them.

/// Why an event failed: one word of a closed list (interface §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The core knows no such member.
    MemberNotFound,
    /// The core cannot be reached, or says that it cannot answer.
    CoreUnavailable,
    /// The core does not take the campus's login.
    CoreRejectedLogin,
    /// The core does not let the campus's account see the member.
    CoreForbidden,
    /// The core's answer makes no sense.
    CoreBadResponse,
    /// The core answered with a member of another church.
    WrongChurch,
    /// The campus is no longer synced.
    SyncDisabled,
    /// The message is no event.
    InvalidEvent,
    /// Postgres does not take the member's values.
    Database,
    /// Processing it fails in a way that nobody foresaw.
    Poison,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 10] = [
        Self::MemberNotFound,
        Self::CoreUnavailable,
        Self::CoreRejectedLogin,
        Self::CoreForbidden,
        Self::CoreBadResponse,
        Self::WrongChurch,
        Self::SyncDisabled,
        Self::InvalidEvent,
        Self::Database,
        Self::Poison,
    ];

    /// The word, also a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MemberNotFound => "member_not_found",
            Self::CoreUnavailable => "core_unavailable",
            Self::CoreRejectedLogin => "core_rejected_login",
            Self::CoreForbidden => "core_forbidden",
            Self::CoreBadResponse => "core_bad_response",
            Self::WrongChurch => "wrong_church",
            Self::SyncDisabled => "sync_disabled",
            Self::InvalidEvent => "invalid_event",
            Self::Database => "database",
            Self::Poison => "poison",
        }
    }
}

/// What is done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It will pass: tried again until `RETRY_OUTAGE_AGE` has passed.
    Outage,
    /// It may be a passing disagreement: tried again a few times.
    Refusal,
    /// Trying again cannot help: an operator has to do something first.
    Final,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// What is done about it.
    pub kind: FailureKind,
    /// A sentence for people; nothing personal.
    pub reason: String,
}

impl Failure {
    /// A failure for `reason`, a sentence.
    pub fn new(cause: Cause, kind: FailureKind, reason: impl Into<String>) -> Self {
        Self { cause, kind, reason: reason.into() }
    }
}
