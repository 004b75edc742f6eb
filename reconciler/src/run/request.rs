//! What is asked of a run, and why there is one.

use uuid::Uuid;

use crate::schedule::due::Spread;

/// What is asked of a run.
#[derive(Debug, Clone)]
pub(crate) struct RunRequest {
    pub(crate) campus: Uuid,
    pub(crate) trigger: Trigger,
    /// Report what would change, and change nothing.
    pub(crate) is_dry_run: bool,
    /// Archives of the last held run that are let through.
    pub(crate) allow_archive: Option<Allowance>,
}

/// Archives that an operator lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// As many as were held.
    pub(crate) archives: u64,
    /// Who lets them.
    pub(crate) by: String,
}

/// Why there is a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// An operator named the campus.
    OnDemand,
    /// It is due, and must be so still when its lock is held.
    Due(Spread),
}

impl Trigger {
    /// The text in `sync_logs.sync_type`.
    pub(crate) const fn sync_type(self) -> &'static str {
        match self {
            Self::OnDemand => "manual",
            Self::Due(_) => "reconciliation",
        }
    }
}
