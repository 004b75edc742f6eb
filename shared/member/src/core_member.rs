//! A member as the core answered it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The member object of a core answer, with every key the core sent.
///
/// It stays a map because sync filters may name any key of it, and because a key that is absent means
/// something else than a key that is null.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CoreMember(Map<String, Value>);

impl CoreMember {
    /// The core's id of this member. None where it is absent, empty, or no string.
    pub fn id(&self) -> Option<&str> {
        self.non_empty("id")
    }

    /// The church this member belongs to. None where it is absent, empty, or no string.
    pub fn church_id(&self) -> Option<&str> {
        self.non_empty("church_id")
    }

    /// True only where the core says so outright: a missing or odd value must never archive anybody.
    pub fn is_deleted(&self) -> bool {
        self.get("is_deleted") == Some(&Value::Bool(true))
    }

    /// True only where the core says `is_active: false` outright, for the same reason.
    pub fn is_inactive(&self) -> bool {
        self.get("is_active") == Some(&Value::Bool(false))
    }

    /// The value under a key, null included. None where the core left the key out.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Every key with its value.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    fn non_empty(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str().filter(|text| !text.is_empty())
    }
}

impl From<Map<String, Value>> for CoreMember {
    fn from(object: Map<String, Value>) -> Self {
        Self(object)
    }
}

/// Says how much there is, never what: this is a person's record.
impl fmt::Debug for CoreMember {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CoreMember({} fields)", self.0.len())
    }
}
