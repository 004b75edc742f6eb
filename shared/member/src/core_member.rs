//! A member as the core answered it.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The member object of a core answer, with every key the core sent.
///
/// The keys stay as they came because sync filters may name any of them, and because a key that is absent
/// means something else than a key that is null. They are few, and looked through one by one; of a key that
/// came twice the last counts.
#[derive(Clone, PartialEq, Default, Deserialize)]
#[serde(from = "Map<String, Value>")]
pub struct CoreMember(Vec<(String, Value)>);

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

    /// True only where the core says `is_active: true` outright: nothing else brings anybody back.
    pub fn is_active(&self) -> bool {
        self.get("is_active") == Some(&Value::Bool(true))
    }

    /// The value under a key, null included. None where the core left the key out.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Every key with its value.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Adds a field.
    pub fn push(&mut self, key: String, value: Value) {
        self.0.push((key, value));
    }

    /// Takes all fields out, for whoever reads the next member into them.
    pub fn drain(&mut self) -> impl DoubleEndedIterator<Item = (String, Value)> {
        self.0.drain(..)
    }

    fn non_empty(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str().filter(|text| !text.is_empty())
    }
}

impl From<Map<String, Value>> for CoreMember {
    fn from(object: Map<String, Value>) -> Self {
        Self(object.into_iter().collect())
    }
}

/// Says how much there is, never what: this is a person's record.
impl fmt::Debug for CoreMember {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CoreMember({} fields)", self.0.len())
    }
}
