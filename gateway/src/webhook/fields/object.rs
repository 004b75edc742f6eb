//! The fields, and how they are read from JSON as RFC 8259 has it.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The allow-listed fields of an object, of duplicate keys the last.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields<'body> {
    pub(crate) event_id: Field<'body>,
    pub(crate) event_type: Field<'body>,
    pub(crate) church_id: Field<'body>,
    pub(crate) campus_id: Field<'body>,
    pub(crate) member_id: Field<'body>,
    pub(crate) timestamp: Field<'body>,
}

/// A field's value as it stands in the body, of whatever type; none where the field is absent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field<'body>(pub(super) Option<&'body str>);

impl<'body> Fields<'body> {
    pub(super) fn named(&mut self, key: &[u8]) -> Option<&mut Field<'body>> {
        Some(match key {
            b"event_id" => &mut self.event_id,
            b"event_type" => &mut self.event_type,
            b"church_id" => &mut self.church_id,
            b"campus_id" => &mut self.campus_id,
            b"member_id" => &mut self.member_id,
            b"timestamp" => &mut self.timestamp,
            _ => return None,
        })
    }
}

impl<'body> Field<'body> {
    /// The value where it is a non-empty string that can be written in UTF-8.
    pub(crate) fn text(self) -> Option<Cow<'body, str>> {
        match self.string()? {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        }
    }

    /// The value where it is a non-empty string; what cannot be written in UTF-8 is replaced.
    pub(crate) fn text_lossy(self) -> Option<Cow<'body, str>> {
        match self.string()? {
            Cow::Borrowed(bytes) => Some(String::from_utf8_lossy(bytes)),
            Cow::Owned(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned().into()),
        }
    }

    fn string(self) -> Option<Cow<'body, [u8]>> {
        string(self.0?).filter(|text| !text.is_empty())
    }
}

impl<'de: 'body, 'body> Deserialize<'de> for Fields<'body> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut object: M) -> Result<Self::Value, M::Error> {
        let mut fields = Fields::default();
        while let Some(key) = object.next_key::<&RawValue>()? {
            match string(key.get()).and_then(|key| fields.named(&key)) {
                Some(field) => *field = Field(Some(object.next_value::<&RawValue>()?.get())),
                None => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

/// The bytes of a JSON value that is a string, borrowed where it has no escapes.
///
/// Bytes, since JSON's `\ud800` alone is no Unicode text; serde_json gives it in WTF-8:
/// <https://docs.rs/serde_json/latest/serde_json/struct.Deserializer.html>.
pub(super) fn string(value: &str) -> Option<Cow<'_, [u8]>> {
    let plain = value.strip_prefix('"')?.strip_suffix('"')?;
    if plain.contains('\\') {
        serde_json::Deserializer::from_str(value).deserialize_bytes(Unescaped).ok()
    } else {
        Some(Cow::Borrowed(plain.as_bytes()))
    }
}

struct Unescaped;

impl<'de> Visitor<'de> for Unescaped {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(bytes.to_vec()))
    }
}
