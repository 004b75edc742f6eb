//! The kinds of event that FaithFlow sends.

use serde::{Deserialize, Serialize};

/// The type of an event, as its sender spells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum EventType {
    /// `test`: a person tries the connection.
    Test,
    /// `ping`: the same, from a monitor.
    Ping,
    /// `member.created`
    MemberCreated,
    /// `member.updated`
    MemberUpdated,
    /// `member.deleted`
    MemberDeleted,
    /// Anything else: accepted, logged, not acted on.
    Other(String),
}

impl EventType {
    /// What a test is answered with, and logged as.
    pub const TEST_MESSAGE: &str =
        "Webhook test successful! FaithTracker is ready to receive member updates.";

    /// What an event of a type that is not handled is answered with, and logged as.
    pub fn not_handled_message(&self) -> String {
        format!("Webhook received but event type {} not handled", self.as_str())
    }

    /// The sender's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Test => "test",
            Self::Ping => "ping",
            Self::MemberCreated => "member.created",
            Self::MemberUpdated => "member.updated",
            Self::MemberDeleted => "member.deleted",
            Self::Other(text) => text,
        }
    }

    /// Whether the event speaks of a member, and so must name one.
    pub fn is_member(&self) -> bool {
        matches!(self, Self::MemberCreated | Self::MemberUpdated | Self::MemberDeleted)
    }

    /// Whether a person or a monitor only tries the connection.
    pub fn is_test(&self) -> bool {
        matches!(self, Self::Test | Self::Ping)
    }

    /// The type as a metric label: a closed set, whatever senders invent.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Ping => "ping",
            Self::MemberCreated => "member.created",
            Self::MemberUpdated => "member.updated",
            Self::MemberDeleted => "member.deleted",
            Self::Other(_) => "other",
        }
    }
}

impl From<String> for EventType {
    fn from(text: String) -> Self {
        match text.as_str() {
            "test" => Self::Test,
            "ping" => Self::Ping,
            "member.created" => Self::MemberCreated,
            "member.updated" => Self::MemberUpdated,
            "member.deleted" => Self::MemberDeleted,
            _ => Self::Other(text),
        }
    }
}

impl From<EventType> for String {
    fn from(event_type: EventType) -> Self {
        match event_type {
            EventType::Other(text) => text,
            known => known.as_str().to_owned(),
        }
    }
}
