//! Pages of the member list, read key by key: a row has kilobytes that nobody here asks for, and a
//! list has a million rows.

use std::{fmt, time::Duration};

use member::CoreMember;
use serde::{
    Deserialize,
    de::{
        DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::{Number, Value, error::Category};

use crate::BadAnswer;

/// A page of the member list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<R> {
    /// What became of its rows, each of which had an id.
    pub rows: R,
    /// How many there were.
    pub came: u64,
    /// What the core said of the rest.
    pub paging: Paging,
    /// How large the answer was, uncompressed.
    pub bytes: usize,
    /// How long it took until the whole answer was here.
    pub fetched_in: Duration,
    /// How long it took to read it, and for the rows to become what they are.
    pub parsed_in: Duration,
}

/// What a page says of the pages after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// A bare array says nothing.
    Bare,
    /// `{"data":[…],"pagination":{…}}`.
    Counted {
        /// Whether more rows follow.
        has_more: bool,
        /// How many there are in all, where it says so.
        total: Option<u64>,
    },
}

/// Takes the rows of a page, one after the other. If the page turns out to be broken, what was made of its
/// rows until then is dropped.
pub trait Rows {
    /// What it wants to see of a row.
    fn keys(&self) -> &Keys;

    /// Takes a row, which is another one afterwards.
    fn take(&mut self, row: &CoreMember);
}

/// Rows as they are, with every key.
impl Rows for Vec<CoreMember> {
    fn keys(&self) -> &Keys {
        &Keys::ALL
    }

    fn take(&mut self, row: &CoreMember) {
        self.push(row.clone());
    }
}

/// Which keys of a member are wanted; the others count as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys(Option<Vec<Vec<String>>>);

impl Keys {
    /// Every key.
    pub const ALL: Self = Self(None);

    /// These keys. `id` has to be among them.
    pub fn only(keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut by_length: Vec<Vec<String>> = Vec::new();
        for key in keys.into_iter().map(Into::into) {
            if by_length.len() <= key.len() {
                by_length.resize(key.len() + 1, Vec::new());
            }
            by_length[key.len()].push(key);
        }
        Self(Some(by_length))
    }

    /// Forty keys of a row are asked about, and most of them only by their length.
    pub(crate) fn want(&self, key: &str) -> bool {
        let Some(by_length) = &self.0 else { return true };
        by_length.get(key.len()).is_some_and(|keys| keys.iter().any(|wanted| wanted == key))
    }
}

impl<R: Rows> Page<R> {
    /// Whether the list ends with this page. A bare list ends with an empty page, not with a short one: the
    /// core may give fewer rows than asked for.
    pub fn is_last(&self) -> bool {
        match self.paging {
            Paging::Bare => self.came == 0,
            Paging::Counted { has_more, .. } => !has_more,
        }
    }

    pub(crate) fn parse(body: &[u8], mut rows: R) -> Result<Self, BadAnswer> {
        let mut reader = Reader::of(&mut rows);
        let mut json = serde_json::Deserializer::from_slice(body);
        let paging = Shape(&mut reader)
            .deserialize(&mut json)
            .and_then(|paging| json.end().map(|()| paging))
            .map_err(|error| match error.classify() {
                Category::Data => BadAnswer::UnknownShape,
                // serde's own message may quote the text; where it went wrong is enough.
                _ => BadAnswer::NotJson { line: error.line(), column: error.column() },
            })?;
        let Reader { came, is_id_missing, .. } = reader;
        if is_id_missing {
            return Err(BadAnswer::NoId);
        }
        // Whoever follows such a page asks for ever.
        if came == 0 && matches!(paging, Paging::Counted { has_more: true, .. }) {
            return Err(BadAnswer::EmptyPage);
        }
        let (fetched_in, parsed_in) = (Duration::ZERO, Duration::ZERO);
        Ok(Self { rows, came, paging, bytes: body.len(), fetched_in, parsed_in })
    }
}

/// Reads row after row into the same memory.
struct Reader<'a, R> {
    rows: &'a mut R,
    row: CoreMember,
    /// The fields of earlier rows, in the order in which they are likely to come again.
    room: Vec<(String, Value)>,
    came: u64,
    is_id_missing: bool,
}

impl<'a, R: Rows> Reader<'a, R> {
    fn of(rows: &'a mut R) -> Self {
        let (row, room) = (CoreMember::default(), Vec::new());
        Self { rows, row, room, came: 0, is_id_missing: false }
    }
}

/// A page in either shape. Anything else is an error, never an empty list.
struct Shape<'a, 'b, R>(&'a mut Reader<'b, R>);

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
                "pagination" => paging = counted(&answer.next_value()?),
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
        let Reader { rows, row, room, came, is_id_missing } = self.0;
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
        *is_id_missing |= row.id().is_none();
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

/// Reads a value over an old one: text goes into the memory of old text.
struct Refill<'a>(&'a mut Value);

impl<'de> DeserializeSeed<'de> for Refill<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Refill<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        match self.0 {
            Value::String(old) => text.clone_into(old),
            other => *other = Value::from(text),
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        *self.0 = Value::Null;
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        *self.0 = Value::Bool(truth);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        *self.0 = Value::from(number);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        *self.0 = Value::from(number);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        *self.0 = Number::from_f64(number).map_or(Value::Null, Value::Number);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        *self.0 = Value::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        *self.0 = Value::deserialize(MapAccessDeserializer::new(object))?;
        Ok(())
    }
}

fn counted(pagination: &Value) -> Option<Paging> {
    let has_more = pagination.get("has_more")?.as_bool()?;
    Some(Paging::Counted { has_more, total: pagination.get("total").and_then(Value::as_u64) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;

    fn page(value: &Value) -> Result<Page<Vec<CoreMember>>, BadAnswer> {
        Page::parse(value.to_string().as_bytes(), Vec::new())
    }

    /// Rows with a few of their keys.
    #[derive(Debug)]
    struct Few {
        keys: Keys,
        rows: Vec<CoreMember>,
    }

    impl Rows for Few {
        fn keys(&self) -> &Keys {
            &self.keys
        }

        fn take(&mut self, row: &CoreMember) {
            self.rows.push(row.clone());
        }
    }

    #[test]
    fn both_list_shapes_are_read() {
        let bare = page(&json!([{"id": "a"}, {"id": "b"}])).unwrap();
        assert_eq!((bare.rows.len(), bare.paging, bare.is_last()), (2, Paging::Bare, false));
        assert!(page(&json!([])).unwrap().is_last());
        let counted = |has_more| {
            let pagination = json!({"total": 9, "limit": 1, "offset": 0, "has_more": has_more});
            page(&json!({"data": [{"id": "a"}], "pagination": pagination, "more": [{}]})).unwrap()
        };
        assert_eq!(counted(true).paging, Paging::Counted { has_more: true, total: Some(9) });
        assert!(!counted(true).is_last() && counted(false).is_last());
    }

    #[test]
    fn any_other_list_is_an_error() {
        let unknown = [
            json!({}),
            json!({"data": []}),
            json!({"data": [], "pagination": {}}),
            json!({"data": {}, "pagination": {"has_more": false}}),
            json!({"data": null, "pagination": {"has_more": false}}),
            json!({"data": [], "pagination": {"has_more": "no"}}),
            json!({"data": [], "pagination": null}),
            json!({"members": []}),
            json!({"detail": "x"}),
            json!(null),
            json!("x"),
            json!(5),
            json!([1]),
            json!([null]),
            json!([[]]),
        ];
        for value in unknown {
            assert_eq!(page(&value), Err(BadAnswer::UnknownShape), "{value}");
        }
        assert_eq!(page(&json!([{"id": "a"}, {"name": "x"}])), Err(BadAnswer::NoId));
        let endless = json!({"data": [], "pagination": {"has_more": true}});
        assert_eq!(page(&endless), Err(BadAnswer::EmptyPage));
        for broken in ["[{\"id\":", "", "[{\"id\":\"a\"}", "[{\"id\":\"a\"}]]", "[{\"id\":\"a\",}]"]
        {
            let read = Page::parse(broken.as_bytes(), Vec::new());
            assert!(matches!(read, Err(BadAnswer::NotJson { .. })), "{broken}");
        }
    }

    #[test]
    fn keys_that_nobody_wants_are_absent_and_null_stays_null() {
        let of = || Few { keys: Keys::only(["id", "phone"]), rows: Vec::new() };
        let row = json!([{"id": "a", "photo": "x", "phone": null, "deep": {"id": ["b"]}}]);
        let rows = Page::parse(row.to_string().as_bytes(), of()).unwrap().rows.rows;
        assert_eq!(rows[0].id(), Some("a"));
        assert_eq!(rows[0].get("phone"), Some(&Value::Null));
        assert_eq!(rows[0].get("photo"), None);
        assert_eq!(rows[0].fields().count(), 2);
        // What is skipped must be JSON all the same.
        let broken = Page::parse(br#"[{"id": "a", "photo": "x}]"#, of());
        assert!(matches!(broken, Err(BadAnswer::NotJson { .. })));
    }

    proptest! {
        /// Rows are read into the memory of the rows before them, and nothing of those shows.
        #[test]
        fn rows_are_read_as_if_each_were_alone(rows in prop::collection::vec(row(), 0..8)) {
            let all = page(&Value::from(rows.clone())).unwrap();
            prop_assert_eq!(all.came, rows.len() as u64);
            for (read, row) in all.rows.iter().zip(rows) {
                let read: Map<String, Value> =
                    read.fields().map(|(key, value)| (key.to_owned(), value.clone())).collect();
                // By way of its text: of a fraction that may change the last digit.
                let alone: Value = serde_json::from_str(&row.to_string()).unwrap();
                prop_assert_eq!(Value::Object(read), alone);
            }
        }
    }

    fn row() -> impl Strategy<Value = Value> {
        let value = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            ".{0,9}".prop_map(Value::from),
            Just(json!(["x", {"y": null}])),
            Just(json!({"x": [1.5]})),
        ];
        prop::collection::btree_map("[a-e]", value, 0..5).prop_map(|fields| {
            let mut row: Map<String, Value> = fields.into_iter().collect();
            row.insert("id".to_owned(), json!("1"));
            Value::Object(row)
        })
    }
}
