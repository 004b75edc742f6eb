//! Something that an operator should look at.

use serde::{Serialize, Serializer};
use uuid::Uuid;

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What it is, for programs.
    pub kind: ProblemKind,
    /// Whose, where it is a campus's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campus_id: Option<Uuid>,
    /// Which of several, where it is no campus's: a queue, a program and its host.
    #[serde(skip)]
    pub part: Option<String>,
    /// What it is, in a sentence.
    #[serde(rename = "matter")]
    pub summary: String,
    /// What to do about it.
    pub advice: String,
    /// Whether it stops the events of a campus, or of all.
    pub stops_events: bool,
}

impl Problem {
    /// Something that stops no events, and is no campus's own.
    pub(crate) fn new(kind: ProblemKind, summary: String, advice: impl Into<String>) -> Self {
        let advice = advice.into();
        Self { kind, campus_id: None, part: None, summary, advice, stops_events: false }
    }

    /// The same, of a campus.
    #[must_use]
    pub(crate) fn of_campus(self, campus: Uuid) -> Self {
        Self { campus_id: Some(campus), ..self }
    }

    /// The same, of one part of several.
    #[must_use]
    pub(crate) fn of_part(self, part: String) -> Self {
        Self { part: Some(part), ..self }
    }

    /// The same, and it stops events.
    #[must_use]
    pub(crate) fn that_stops_events(self) -> Self {
        Self { stops_events: true, ..self }
    }

    /// What makes it the same problem from one look to the next, while the numbers in its summary change.
    pub fn key(&self) -> String {
        match (&self.campus_id, &self.part) {
            (Some(campus), _) => format!("{} {campus}", self.kind.as_str()),
            (None, Some(part)) => format!("{} {part}", self.kind.as_str()),
            (None, None) => self.kind.as_str().to_owned(),
        }
    }
}

/// The kinds of problems: a closed list, for programs that are told of them.
macro_rules! problem_kinds {
    ($($(#[doc = $doc:literal])* $name:ident => $text:literal,)*) => {
        /// What a problem is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemKind { $($(#[doc = $doc])* $name,)* }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// One word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

problem_kinds! {
    /// Webhooks may get no answer.
    NoGateway => "no_gateway",
    /// Events wait in the queue.
    NoWorker => "no_worker",
    /// Nobody compares campuses.
    NoReconciler => "no_reconciler",
    /// A program runs and cannot do its job.
    NotReady => "not_ready",
    /// Events wait, workers consume, and none comes to its end.
    NothingFinished => "nothing_finished",
    /// Messages stay in a queue that workers drain.
    QueueNotDrained => "queue_not_drained",
    /// A campus's core is asked now and then only.
    BreakerOpen => "breaker_open",
    /// A campus had events, and no success.
    NoneSucceeded => "none_succeeded",
    /// Events of a campus have been retried for long.
    LongRetrying => "long_retrying",
    /// Logins to a campus's core pause after one that failed.
    LoginPaused => "login_paused",
    /// Dead letters wait for an operator.
    DeadLettersOpen => "dead_letters_open",
    /// Webhooks come to a campus whose sync is disabled.
    DisabledAndCalled => "disabled_and_called",
    /// Many webhooks of a campus were refused.
    WebhooksRefused => "webhooks_refused",
    /// A campus is paused.
    Paused => "paused",
    /// Archivals of a campus wait for approval.
    ArchivesHeld => "archives_held",
    /// A run could not decide about some members.
    MembersUndecided => "members_undecided",
    /// A campus was not known to equal its core for over a day.
    ReconciliationOverdue => "reconciliation_overdue",
    /// A campus's webhook secret is old.
    SecretOld => "secret_old",
}

impl Serialize for ProblemKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
