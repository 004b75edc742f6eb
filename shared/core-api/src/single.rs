//! One member's answer, of which only the keys are read that somebody looks at: the rest may be megabytes
//! of scans, and as a tree many times as much.

use std::fmt;

use member::CoreMember;
use serde::{
    Deserialize,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value, error::Category};

use crate::{BadAnswer, Keys};

/// The elements of lists that are looked at, in a member: more than any core has in a field.
const MOST_ELEMENTS: usize = 10_000;

/// The member with this id, bare or as `{"data":{…}}`.
pub(crate) fn member(body: &[u8], id: &str, keys: &Keys) -> Result<CoreMember, BadAnswer> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let member = Answer(keys)
        .deserialize(&mut json)
        .and_then(|member| json.end().map(|()| member))
        .map_err(|error| match error.classify() {
            Category::Data => BadAnswer::UnknownShape,
            // serde's own message may quote the text; where it went wrong is enough.
            _ => BadAnswer::NotJson { line: error.line(), column: error.column() },
        })?;
    match member.id() {
        Some(found) if found == id => Ok(member),
        Some(_) => Err(BadAnswer::OtherMember),
        None => Err(BadAnswer::NoId),
    }
}

/// The whole answer: a member, or an object that has one under `data` and no id of its own.
struct Answer<'a>(&'a Keys);

impl<'de> DeserializeSeed<'de> for Answer<'_> {
    type Value = CoreMember;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<CoreMember, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Answer<'_> {
    type Value = CoreMember;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<CoreMember, A::Error> {
        let keys = self.0;
        let mut fields = Map::new();
        let mut inner = None;
        while let Some(key) = object.next_key_seed(Key(keys))? {
            match key {
                Some(key) if key == "data" && !keys.want("data") => {
                    inner = object.next_value_seed(Inner(keys))?;
                }
                Some(key) => {
                    let value = object.next_value_seed(SelectedKeys(keys))?;
                    if key == "data" {
                        inner = value.as_object().map(|data| kept(data, keys));
                    }
                    fields.insert(key, value);
                }
                None => _ = object.next_value::<IgnoredAny>()?,
            }
        }
        let member = if fields.contains_key("id") { fields } else { inner.unwrap_or(fields) };
        Ok(CoreMember::from(member))
    }
}

fn kept(data: &Map<String, Value>, keys: &Keys) -> Map<String, Value> {
    let wanted = data.iter().filter(|(key, _)| keys.want(key));
    wanted.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// What is under `data`: the fields of an object; none where it is something else.
struct Inner<'a>(&'a Keys);

impl<'de> DeserializeSeed<'de> for Inner<'_> {
    type Value = Option<Map<String, Value>>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Inner<'_> {
    type Value = Option<Map<String, Value>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = object.next_key_seed(Key(self.0))? {
            match key.filter(|key| self.0.want(key)) {
                Some(key) => _ = fields.insert(key, object.next_value_seed(SelectedKeys(self.0))?),
                None => _ = object.next_value::<IgnoredAny>()?,
            }
        }
        Ok(Some(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A key, copied where it is wanted or may lead to the member.
struct Key<'a>(&'a Keys);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<String>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Option<String>, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<String>, E> {
        Ok((key == "data" || self.0.want(key)).then(|| key.to_owned()))
    }
}

/// A wanted value. Where not everything is wanted it is no larger than its text: mappings and filters look
/// at text, numbers and lists of them, and of an object only at whether it has anything.
struct SelectedKeys<'a>(&'a Keys);

impl<'de> DeserializeSeed<'de> for SelectedKeys<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        if *self.0 == Keys::ALL {
            return Value::deserialize(json);
        }
        let mut room = MOST_ELEMENTS;
        Plain(&mut room).deserialize(json)
    }
}

struct Plain<'a>(&'a mut usize);

impl<'de> DeserializeSeed<'de> for Plain<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Plain<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while *self.0 > 0 {
            *self.0 -= 1;
            match list.next_element_seed(Plain(self.0))? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
        if list.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom("a list without end"));
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            if fields.is_empty() {
                fields.insert(String::new(), Value::Null);
            }
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn all(value: &Value) -> Result<CoreMember, BadAnswer> {
        member(value.to_string().as_bytes(), "a", &Keys::ALL)
    }

    fn few(json: &str) -> Result<CoreMember, BadAnswer> {
        member(json.as_bytes(), "a", &Keys::only(["id", "name", "tags"]))
    }

    #[test]
    fn a_member_is_the_one_that_was_asked_for() {
        assert!(all(&json!({"id": "a"})).is_ok());
        assert_eq!(all(&json!({"data": {"id": "a", "x": 1}})).unwrap().get("x"), Some(&json!(1)));
        // A member that has a field called data is still the member.
        assert!(all(&json!({"id": "a", "data": {"id": "b"}})).unwrap().get("data").is_some());
        assert_eq!(all(&json!({"id": "b"})), Err(BadAnswer::OtherMember));
        for no_id in [json!({"id": 5}), json!({}), json!({"data": null}), json!({"data": [{}]})] {
            assert_eq!(all(&no_id), Err(BadAnswer::NoId), "{no_id}");
            assert_eq!(few(&no_id.to_string()), Err(BadAnswer::NoId), "{no_id}");
        }
        for odd in [json!([{"id": "a"}]), json!("a"), json!(5), json!(null)] {
            assert_eq!(all(&odd), Err(BadAnswer::UnknownShape), "{odd}");
        }
    }

    #[test]
    fn keys_that_nobody_looks_at_are_skipped_however_deep_they_are() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let json = format!(r#"{{"x": {deep}, "id": "a", "name": "Budi", "y": {{"id": "b"}}}}"#);
        let member = few(&json).unwrap();
        assert_eq!(member.get("name"), Some(&json!("Budi")));
        assert_eq!(member.fields().count(), 2);
        let wanted = format!(r#"{{"id": "a", "name": {deep}}}"#);
        assert!(matches!(few(&wanted), Err(BadAnswer::NotJson { .. })));
        assert!(matches!(few(r#"{"id": "a", "x": [}"#), Err(BadAnswer::NotJson { .. })));
        assert!(matches!(few(r#"{"id": "a"} x"#), Err(BadAnswer::NotJson { .. })));
        let broken =
            super::member(b"{\"id\": \"a\", \"name\": \"\xff\"}", "a", &Keys::only(["id", "name"]));
        assert!(matches!(broken, Err(BadAnswer::NotJson { .. })));
    }

    #[test]
    fn the_last_of_a_key_counts_and_escapes_are_read() {
        let member = few(r#"{"id": "b", "n\u0061me": "B\u0075di", "\u0069d": "a"}"#).unwrap();
        assert_eq!((member.id(), member.get("name")), (Some("a"), Some(&json!("Budi"))));
        let wrapped = few(r#"{"data": {"id": "b"}, "data": {"id": "a", "x": 1}}"#).unwrap();
        assert_eq!(wrapped.fields().count(), 1);
        assert_eq!(few(r#"{"data": {"id": "a"}, "data": 5}"#), Err(BadAnswer::NoId));
    }

    #[test]
    fn objects_count_as_there_and_lists_have_an_end() {
        let member = few(r#"{"id": "a", "name": {"x": [1]}, "tags": ["b", {}, ["c"], null]}"#);
        let member = member.unwrap();
        assert!(member.get("name").unwrap().as_object().is_some_and(|object| object.len() == 1));
        assert_eq!(member.get("tags"), Some(&json!(["b", {}, ["c"], null])));
        let endless = format!(r#"{{"id": "a", "tags": [{}1]}}"#, "1,".repeat(MOST_ELEMENTS));
        assert_eq!(few(&endless), Err(BadAnswer::UnknownShape));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop::collection::vec(inner, 0..4).prop_map(Value::from)
        })
    }

    proptest! {
        /// What is read of some keys is what the whole tree has under them.
        #[test]
        fn few_keys_are_those_of_the_whole(
            fields in prop::collection::btree_map("[a-c]{1,2}|id|name|tags|\\PC{1,4}", value(), 0..8),
            is_wrapped in any::<bool>(),
        ) {
            let mut fields: Map<String, Value> = fields.into_iter().collect();
            fields.insert("id".to_owned(), json!("a"));
            fields.remove("data");
            let object = Value::Object(fields);
            let answer = if is_wrapped { json!({"data": object, "ok": true}) } else { object };
            let (whole, few) = (all(&answer).unwrap(), few(&answer.to_string()).unwrap());
            for key in ["id", "name", "tags"] {
                prop_assert_eq!(few.get(key), whole.get(key));
            }
            prop_assert!(few.fields().count() <= 3);
        }
    }
}
