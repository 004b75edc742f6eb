//! A JSON object that keeps the order of its keys, as Python's dictionaries and `MongoDB` do.

use std::borrow::Cow;
use std::fmt;
use std::io;

use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::ser::Formatter;

/// A JSON object with its keys in insertion order: a member, or the changes of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document(Vec<(Cow<'static, str>, Value)>);

impl Document {
    /// An object without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// An object without keys, with room for some.
    pub(super) fn with_capacity(keys: usize) -> Self {
        Self(Vec::with_capacity(keys))
    }

    /// Appends a key that is known to be new; the generator's fast way.
    pub(super) fn push(&mut self, key: &'static str, value: impl Into<Value>) {
        self.0.push((Cow::Borrowed(key), value.into()));
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The value of a key that is a string.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// Whether the key is there and `true`.
    pub fn is_true(&self, key: &str) -> bool {
        self.get(key) == Some(&Value::Bool(true))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_ref())
    }

    /// Keys and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// Sets a key where it stands, or appends it.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|(name, _)| *name == key) {
            Some(entry) => entry.1 = value,
            None => self.0.push((key, value)),
        }
    }

    /// Takes a key out, and answers what it was.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let index = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(index).1)
    }

    /// Sets every key of `patch`.
    pub fn merge(&mut self, patch: &Document) {
        for (key, value) in &patch.0 {
            self.set(key.clone(), value.clone());
        }
    }

    /// Compact JSON in UTF-8, as the core API answers.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(2048);
        self.append_to(&mut bytes);
        bytes.into()
    }

    /// Appends compact JSON in UTF-8.
    pub(super) fn append_to(&self, bytes: &mut Vec<u8>) {
        // Writing JSON values with string keys into memory has nothing that could fail.
        let written = serde_json::to_writer(&mut *bytes, self);
        debug_assert!(written.is_ok(), "a document is JSON");
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Document;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
                let mut document = Document::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    document.set(key, value);
                }
                Ok(document)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A `json!({…})`; what is no object becomes an object without keys.
impl From<Value> for Document {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(map) => {
                Self(map.into_iter().map(|(key, value)| (Cow::Owned(key), value)).collect())
            }
            _ => Self::default(),
        }
    }
}

/// Compact JSON with everything outside printable ASCII as `\uXXXX`, byte for byte what Python's
/// `json.dumps(…, separators=(",", ":"))` makes of it.
pub(super) fn to_ascii_json(value: &impl Serialize) -> Vec<u8> {
    struct Ascii;
    impl Formatter for Ascii {
        fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
        where
            W: ?Sized + io::Write,
        {
            let mut units = [0_u16; 2];
            for character in fragment.chars() {
                if matches!(character, ' '..='~') {
                    writer.write_all(character.encode_utf8(&mut [0; 4]).as_bytes())?;
                } else {
                    for unit in character.encode_utf16(&mut units) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
            Ok(())
        }
    }
    let mut bytes = Vec::with_capacity(2048);
    let written = value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Ascii));
    debug_assert!(written.is_ok(), "written into memory");
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use serde_json::json;

    use super::*;

    #[test]
    fn keys_keep_their_order() {
        let text = r#"{"z":1,"a":null,"m":{"k":[]}}"#;
        let mut document: Document = serde_json::from_str(text).unwrap();
        assert_eq!(document.to_bytes(), text.as_bytes());
        document.set("a", "there");
        document.set("b", true);
        assert_eq!(document.remove("z"), Some(json!(1)));
        assert_eq!(document.to_bytes(), r#"{"a":"there","m":{"k":[]},"b":true}"#.as_bytes());
    }

    #[test]
    fn ascii_json_is_pythons() {
        let text = "Đặng 李\u{7f}\n\"\\/ 🎂\u{1}";
        let expected = br#""\u0110\u1eb7ng \u674e\u007f\n\"\\/ \ud83c\udf82\u0001""#;
        assert_eq!(to_ascii_json(&text), expected);
    }
}
