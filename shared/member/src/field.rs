//! What the core says of one column.

use std::fmt;

/// The core's word on one synced column.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// The core did not mention it: the column stays as it is.
    #[default]
    Absent,
    /// The core says there is none: the column is cleared.
    Null,
    /// The core's value.
    Value(T),
}

impl<T> Field<T> {
    /// The value, where there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// The value itself, where there is one.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// The same word with its value borrowed.
    pub fn as_ref(&self) -> Field<&T> {
        match self {
            Self::Absent => Field::Absent,
            Self::Null => Field::Null,
            Self::Value(value) => Field::Value(value),
        }
    }

    /// Whether the column stays as it is.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The same word with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        self.and_then(|value| Some(change(value)))
    }

    /// The same word with another value, or null where there is none to be had.
    pub fn and_then<U>(self, change: impl FnOnce(T) -> Option<U>) -> Field<U> {
        match self {
            Self::Absent => Field::Absent,
            Self::Null => Field::Null,
            Self::Value(value) => change(value).map_or(Field::Null, Field::Value),
        }
    }
}

/// Never prints the value: every synced column is about a person.
impl<T> fmt::Debug for Field<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Absent => "Absent",
            Self::Null => "Null",
            Self::Value(_) => "Value(…)",
        })
    }
}
