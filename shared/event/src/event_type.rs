//! The kinds of event that FaithFlow sends.

use serde::{Deserialize, Serialize};

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// The connection itself: a person or a monitor tries it.
    Connection,
    /// A member, whom the event must name.
    Member,
}

/// Declares the types that are known, each with its spelling and what it is about.
macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal about $subject:ident;)*) => {
        /// The type of an event, as its sender spells it.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum EventType {
            $($(#[$doc])* $variant,)*
            /// Anything else: accepted, logged, not acted on.
            Other(String),
        }

        impl EventType {
            /// Every type that is known.
            pub const KNOWN: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The sender's spelling.
            pub fn as_str(&self) -> &str {
                match self {
                    Self::Other(text) => text,
                    known => known.label(),
                }
            }

            /// The type as a metric label: a closed set, whatever senders invent.
            pub const fn label(&self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(_) => "other",
                }
            }

            fn subject(&self) -> Option<Subject> {
                match self {
                    $(Self::$variant => Some(Subject::$subject),)*
                    Self::Other(_) => None,
                }
            }
        }
    };
}

event_types! {
    /// A person tries the connection.
    Test = "test" about Connection;
    /// The same, from a monitor.
    Ping = "ping" about Connection;
    /// A member was created in the core.
    MemberCreated = "member.created" about Member;
    /// A member was changed in the core.
    MemberUpdated = "member.updated" about Member;
    /// A member was deleted in the core.
    MemberDeleted = "member.deleted" about Member;
}

impl EventType {
    /// What a test is answered with, and logged as.
    pub const TEST_MESSAGE: &str =
        "Webhook test successful! FaithTracker is ready to receive member updates.";

    /// Every label, for metrics that shall be there from the start.
    pub fn labels() -> impl Iterator<Item = &'static str> {
        Self::KNOWN.into_iter().map(|known| known.label()).chain(["other"])
    }

    /// What an event of a type that is not handled is answered with, and logged as.
    pub fn not_handled_message(&self) -> String {
        format!("Webhook received but event type {} not handled", self.as_str())
    }

    /// Whether the event is about a member, and so must name one.
    pub fn is_member(&self) -> bool {
        self.subject() == Some(Subject::Member)
    }

    /// Whether a person or a monitor only tries the connection.
    pub fn is_test(&self) -> bool {
        self.subject() == Some(Subject::Connection)
    }
}

impl From<String> for EventType {
    fn from(text: String) -> Self {
        let known = Self::KNOWN.into_iter().find(|known| known.label() == text);
        known.unwrap_or(Self::Other(text))
    }
}

impl From<EventType> for String {
    fn from(event_type: EventType) -> Self {
        match event_type {
            EventType::Other(text) => text,
            known => known.label().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EventType;

    #[test]
    fn a_known_type_is_read_from_its_spelling_and_written_so() {
        for known in EventType::KNOWN {
            assert_eq!(EventType::from(known.as_str().to_owned()), known);
            assert_eq!(String::from(known.clone()), known.as_str());
            assert!(known.is_member() != known.is_test());
        }
        let other = EventType::from("group.created".to_owned());
        assert_eq!((other.as_str(), other.label()), ("group.created", "other"));
        assert_eq!(String::from(other.clone()), "group.created");
        assert!(!other.is_member() && !other.is_test());
        assert_eq!(
            EventType::labels().collect::<Vec<_>>(),
            ["test", "ping", "member.created", "member.updated", "member.deleted", "other"]
        );
        assert_eq!(
            other.not_handled_message(),
            "Webhook received but event type group.created not handled"
        );
    }
}
