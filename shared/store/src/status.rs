//! The statuses of deliveries, dead letters and runs, the kinds of attempts, the kinds and states of operations, and how
//! changes ended: one list of each, from which SQL, Rust and help come. The migrations' checks are held against them.

/// Declares the words of a column, each with its text and a line of help.
macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident: $($variant:ident = $text:literal, $help:literal;)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = $help] $variant,)*
        }

        impl $name {
            /// Every one.
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$variant),*];

            /// The text in the table, which metrics have too.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// What it means, in a few words for help.
            pub const fn help(self) -> &'static str {
                match self {
                    $(Self::$variant => $help,)*
                }
            }

            /// Reads the text in the table.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|status| status.as_str() == text)
            }
        }
    };
}

statuses! {
    /// `webhook_logs.status`: where a delivery stands.
    DeliveryStatus:
    Processed = "processed", "Done";
    Filtered = "filtered", "Done: the sync filter keeps an unknown member out";
    Ignored = "ignored", "Of a type that is not handled";
    Duplicate = "duplicate", "Another delivery of the same event was done before";
    Stale = "stale", "A delete of a member that the core has alive";
    Retrying = "retrying", "It failed and will be tried again";
    Dead = "dead", "It failed for good and waits for an operator";
    Discarded = "discarded", "An operator gave it up";
    Rejected = "rejected", "The gateway refused it: a bad signature, or a disabled campus";
}

statuses! {
    /// `dead_letters.status`: where a dead letter stands.
    DeadLetterStatus:
    Open = "open", "It waits for an operator";
    Replaying = "replaying", "It was replayed, and no worker has come to an end with it yet";
    Resolved = "resolved", "A worker has finished it";
    Discarded = "discarded", "An operator gave it up";
}

statuses! {
    /// `sync_logs.status`: where a run of the reconciler stands.
    RunStatus:
    InProgress = "in_progress", "It is under way";
    Success = "success", "The campus equals its core";
    Held = "held", "Archives or returns wait for an operator; everything else was done";
    Partial = "partial", "Some members could not be decided about; everything else was done";
    Error = "error", "It failed";
}

statuses! {
    /// `delivery_attempts.kind`: what a delivery went through.
    AttemptKind:
    Failed = "failed", "An attempt failed, and another follows";
    PutOffFirst = "put_off_first", "It was put off for the first time: nothing was tried";
    Dead = "dead", "The last attempt failed, and it went to the dead letters";
    Replayed = "replayed", "An operator sent it again";
    Reopened = "reopened", "An operator took it back among the open dead letters";
}

statuses! {
    /// `operator_log.via`: through which program a change was made.
    AuditVia:
    Console = "console", "The web console";
    Faithctl = "faithctl", "The command line";
    Reconciler = "reconciler", "A run that an operator asked for";
}

statuses! {
    /// `operator_log.result`: how a change ended.
    AuditResult:
    Done = "done", "It was made";
    Failed = "failed", "It failed; what was done until then is in the subject";
    Refused = "refused", "It was not allowed, not confirmed, or asked for wrongly";
    Stopped = "stopped", "Somebody interrupted it; what was done until then is in the subject";
}

statuses! {
    /// `operations.kind`: what an operator asked for.
    OperationKind:
    Replay = "replay", "Dead letters go through the workers again";
    Discard = "discard", "Dead letters are given up";
    Restore = "restore", "Dead letters that were given up are open again";
    Resync = "resync", "Members are fetched anew";
    Reconcile = "reconcile", "A campus is compared with its core, and repaired";
    ReconcileDryRun = "reconcile_dry_run", "A campus is compared with its core, and nothing is written";
    AllowArchives = "allow_archives", "Archives that a run held are let through";
}

statuses! {
    /// `operations.state`: where an operation stands.
    OperationState:
    Waiting = "waiting", "Nobody carries it out yet";
    Running = "running", "A program carries it out";
    Paused = "paused", "An operator paused it";
    Stopping = "stopping", "It stops after the batch under way";
    Stopped = "stopped", "An operator stopped it";
    Done = "done", "It came to its end";
    Failed = "failed", "It could not be carried out";
}

impl OperationKind {
    /// Those that workers carry out.
    pub const OF_WORKERS: [Self; 4] = [Self::Replay, Self::Discard, Self::Restore, Self::Resync];

    /// Those that reconcilers carry out.
    pub const OF_RECONCILERS: [Self; 3] =
        [Self::Reconcile, Self::ReconcileDryRun, Self::AllowArchives];

    /// The program that carries it out, as `instances` calls it.
    pub fn program(self) -> &'static str {
        if Self::OF_WORKERS.contains(&self) { "worker" } else { "reconciler" }
    }
}

impl OperationState {
    /// Whether nothing more becomes of it.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Stopped | Self::Done | Self::Failed)
    }
}

statuses! {
    /// `operators.role`: what an operator of the console may do.
    OperatorRole:
    Viewer = "viewer", "Sees how everything is, without names of members";
    Office = "office", "A church's office: its own campuses, their settings and nights";
    Operator = "operator", "Sees all, replays and discards dead letters, runs nights, pauses campuses";
    Admin = "admin", "All of that, and settings, campuses, operators and the audit";
}

impl DeliveryStatus {
    /// Those that a worker ends a delivery with, short of an operator's replay.
    pub const ENDS: [Self; 6] =
        [Self::Processed, Self::Filtered, Self::Ignored, Self::Duplicate, Self::Stale, Self::Dead];

    /// Those that nothing overwrites (rule store-9).
    pub(crate) const FINAL: [Self; 6] = [
        Self::Processed,
        Self::Filtered,
        Self::Stale,
        Self::Ignored,
        Self::Duplicate,
        Self::Discarded,
    ];

    /// Those of deliveries that may be a duplicate of another one (rule store-10).
    pub(crate) const DONE: [Self; 3] = [Self::Processed, Self::Filtered, Self::Stale];

    /// Whether this is the delivery's end, short of an operator's replay.
    pub fn is_end(self) -> bool {
        Self::ENDS.contains(&self)
    }

    /// Some of them as a list in SQL.
    pub(crate) fn sql_list(statuses: &[Self]) -> String {
        let texts: Vec<String> =
            statuses.iter().map(|status| format!("'{}'", status.as_str())).collect();
        format!("({})", texts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        AttemptKind, AuditResult, AuditVia, DeadLetterStatus, DeliveryStatus, OperationKind,
        OperationState, OperatorRole, RunStatus,
    };

    /// The texts of the last check of a column in a migration.
    fn checked<'a>(migration: &'a str, column: &str) -> Vec<&'a str> {
        let (_, list) = migration.rsplit_once(&format!("CHECK ({column} IN (")).unwrap();
        let (list, _) = list.split_once(')').unwrap();
        list.split(',').map(|text| text.trim().trim_matches('\'')).collect()
    }

    #[test]
    fn the_tables_take_these_and_no_others() {
        assert_eq!(
            checked(include_str!("../migrations/V3__webhook_logs.sql"), "status"),
            DeliveryStatus::ALL.map(DeliveryStatus::as_str)
        );
        assert_eq!(
            checked(include_str!("../migrations/V4__dead_letters.sql"), "status"),
            DeadLetterStatus::ALL.map(DeadLetterStatus::as_str)
        );
        assert_eq!(
            checked(include_str!("../migrations/V15__undecided.sql"), "status"),
            RunStatus::ALL.map(RunStatus::as_str)
        );
        let trail = include_str!("../migrations/V21__attempts_and_audit.sql");
        assert_eq!(checked(trail, "kind"), AttemptKind::ALL.map(AttemptKind::as_str));
        assert_eq!(checked(trail, "via"), AuditVia::ALL.map(AuditVia::as_str));
        assert_eq!(checked(trail, "result"), AuditResult::ALL.map(AuditResult::as_str));
        let operations = include_str!("../migrations/V20__operations.sql");
        assert_eq!(checked(operations, "kind"), OperationKind::ALL.map(OperationKind::as_str));
        assert_eq!(checked(operations, "state"), OperationState::ALL.map(OperationState::as_str));
        let operators = include_str!("../migrations/V26__operators.sql");
        assert_eq!(checked(operators, "role"), OperatorRole::ALL.map(OperatorRole::as_str));
    }

    #[test]
    fn a_text_is_read_as_the_status_that_has_it() {
        for status in DeliveryStatus::ALL {
            assert_eq!(DeliveryStatus::parse(status.as_str()), Some(status));
            assert!(!status.help().is_empty());
        }
        assert_eq!(DeliveryStatus::parse("open"), None);
        assert!(DeliveryStatus::Dead.is_end() && !DeliveryStatus::Retrying.is_end());
        assert_eq!(
            DeliveryStatus::sql_list(&DeliveryStatus::DONE),
            "('processed', 'filtered', 'stale')"
        );
    }
}
