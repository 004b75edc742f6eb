//! A page, read key by key: a row has kilobytes that nobody here asks for, and a list has a million rows.

use std::fmt;

use member::CoreMember;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{keys::Keys, paging::Paging, refill::Refill, rows::Rows};

/// Reads row after row into the same memory.
pub(super) struct Reader<'a, R> {
    rows: &'a mut R,
    row: CoreMember,
    /// The fields of earlier rows, in the order in which they are likely to come again.
    room: Vec<(String, Value)>,
    pub(super) came: u64,
    pub(super) without_id: u64,
}

impl<'a, R: Rows> Reader<'a, R> {
    pub(super) fn of(rows: &'a mut R) -> Self {
        let (row, room) = (CoreMember::default(), Vec::new());
        Self { rows, row, room, came: 0, without_id: 0 }
    }
}

/// A page in either shape. Anything else is an error, never an empty list.
pub(super) struct Shape<'a, 'b, R>(pub(super) &'a mut Reader<'b, R>);

impl<'de, R: Rows> DeserializeSeed<'de> for Shape<'_, '_, R> {
    type Value = Paging;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Paging, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, R: Rows> Visitor<'de> for Shape<'_, '_, R> {
    type Value = Paging;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of members")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, rows: A) -> Result<Paging, A::Error> {
        List(self.0).visit_seq(rows)?;
        Ok(Paging::Bare)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut answer: A) -> Result<Paging, A::Error> {
        let (mut has_list, mut paging) = (false, None);
        while let Some(key) = answer.next_key::<String>()? {
            match key.as_str() {
                "data" if has_list => return Err(A::Error::custom("two lists of members")),
                "data" => {
                    answer.next_value_seed(List(self.0))?;
                    has_list = true;
                }
                "pagination" => paging = Paging::counted(&answer.next_value()?),
                _ => _ = answer.next_value::<IgnoredAny>()?,
            }
        }
        paging.filter(|_| has_list).ok_or_else(|| A::Error::custom("no list of members"))
    }
}

struct List<'a, 'b, R>(&'a mut Reader<'b, R>);

impl<'de, R: Rows> DeserializeSeed<'de> for List<'_, '_, R> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, R: Rows> Visitor<'de> for List<'_, '_, R> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of members")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while array.next_element_seed(Row(self.0))?.is_some() {}
        Ok(())
    }
}

struct Row<'a, 'b, R>(&'a mut Reader<'b, R>);

impl<'de, R: Rows> DeserializeSeed<'de> for Row<'_, '_, R> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, R: Rows> Visitor<'de> for Row<'_, '_, R> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Reader { rows, row, room, came, without_id } = self.0;
        room.extend(row.drain().rev());
        while let Some(field) = object.next_key_seed(Key { keys: rows.keys(), room })? {
            if let Some((key, mut value)) = field {
                object.next_value_seed(Refill(&mut value))?;
                row.push(key, value);
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        *came += 1;
        *without_id += u64::from(row.id().is_none());
        rows.take(row);
        Ok(())
    }
}

/// A key, copied only if it is wanted, and not even then where the row before had it in the same place.
struct Key<'a> {
    keys: &'a Keys,
    room: &'a mut Vec<(String, Value)>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<(String, Value)>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<(String, Value)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        if !self.keys.want(key) {
            return Ok(None);
        }
        let (mut name, value) = self.room.pop().unwrap_or_default();
        if name != key {
            key.clone_into(&mut name);
        }
        Ok(Some((name, value)))
    }
}
