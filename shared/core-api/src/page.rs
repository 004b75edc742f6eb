//! Pages of the member list, read key by key: a row has kilobytes that nobody here asks for, and a
//! list has a million rows.

use std::{fmt, time::Duration};

use member::CoreMember;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, error::Category};

use crate::BadAnswer;

/// A page of the member list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The members, each with an id.
    pub rows: Vec<CoreMember>,
    /// What the core said of the rest.
    pub paging: Paging,
    /// How large the answer was, uncompressed.
    pub bytes: usize,
    /// How long it took until the whole answer was here.
    pub fetched_in: Duration,
    /// How long it took to read it.
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

/// Which keys of a row are wanted; the others count as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Every key.
    All,
    /// These keys. `id` has to be among them.
    Only(Vec<String>),
}

impl Keys {
    fn want(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(keys) => keys.iter().any(|wanted| wanted == key),
        }
    }
}

impl Page {
    /// Whether the list ends with this page. A bare list ends with an empty page, not with a short one: the
    /// core may give fewer rows than asked for.
    pub fn is_last(&self) -> bool {
        match self.paging {
            Paging::Bare => self.rows.is_empty(),
            Paging::Counted { has_more, .. } => !has_more,
        }
    }

    pub(crate) fn parse(body: &[u8], keys: &Keys) -> Result<Self, BadAnswer> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let (rows, paging) = Shape(keys)
            .deserialize(&mut json)
            .and_then(|page| json.end().map(|()| page))
            .map_err(|error| match error.classify() {
                Category::Data => BadAnswer::UnknownShape,
                // serde's own message may quote the text; where it went wrong is enough.
                _ => BadAnswer::NotJson { line: error.line(), column: error.column() },
            })?;
        if rows.iter().any(|row| row.id().is_none()) {
            return Err(BadAnswer::NoId);
        }
        // Whoever follows such a page asks for ever.
        if rows.is_empty() && matches!(paging, Paging::Counted { has_more: true, .. }) {
            return Err(BadAnswer::EmptyPage);
        }
        let (fetched_in, parsed_in) = (Duration::ZERO, Duration::ZERO);
        Ok(Self { rows, paging, bytes: body.len(), fetched_in, parsed_in })
    }
}

/// A page in either shape. Anything else is an error, never an empty list.
struct Shape<'a>(&'a Keys);

impl<'de> DeserializeSeed<'de> for Shape<'_> {
    type Value = (Vec<CoreMember>, Paging);

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shape<'_> {
    type Value = (Vec<CoreMember>, Paging);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of members")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, rows: A) -> Result<Self::Value, A::Error> {
        Ok((Rows(self.0).visit_seq(rows)?, Paging::Bare))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut answer: A) -> Result<Self::Value, A::Error> {
        let (mut rows, mut paging) = (None, None);
        while let Some(key) = answer.next_key::<String>()? {
            match key.as_str() {
                "data" => rows = Some(answer.next_value_seed(Rows(self.0))?),
                "pagination" => paging = counted(&answer.next_value()?),
                _ => _ = answer.next_value::<IgnoredAny>()?,
            }
        }
        rows.zip(paging).ok_or_else(|| A::Error::custom("no list of members"))
    }
}

struct Rows<'a>(&'a Keys);

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = Vec<CoreMember>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = Vec<CoreMember>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of members")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = array.next_element_seed(Row(self.0))? {
            rows.push(row);
        }
        Ok(rows)
    }
}

struct Row<'a>(&'a Keys);

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = CoreMember;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = CoreMember;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<CoreMember, A::Error> {
        let mut row = Map::new();
        while let Some(key) = object.next_key_seed(Key(self.0))? {
            match key {
                Some(key) => _ = row.insert(key, object.next_value::<Value>()?),
                None => _ = object.next_value::<IgnoredAny>()?,
            }
        }
        Ok(row.into())
    }
}

/// A key, copied only if it is wanted.
struct Key<'a>(&'a Keys);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<String>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.want(key).then(|| key.to_owned()))
    }
}

fn counted(pagination: &Value) -> Option<Paging> {
    let has_more = pagination.get("has_more")?.as_bool()?;
    Some(Paging::Counted { has_more, total: pagination.get("total").and_then(Value::as_u64) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(value: &Value) -> Result<Page, BadAnswer> {
        Page::parse(value.to_string().as_bytes(), &Keys::All)
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
            let read = Page::parse(broken.as_bytes(), &Keys::All);
            assert!(matches!(read, Err(BadAnswer::NotJson { .. })), "{broken}");
        }
    }

    #[test]
    fn keys_that_nobody_wants_are_absent_and_null_stays_null() {
        let keys = Keys::Only(["id", "phone"].map(str::to_owned).into());
        let row = json!([{"id": "a", "photo": "x", "phone": null, "deep": {"id": ["b"]}}]);
        let page = Page::parse(row.to_string().as_bytes(), &keys).unwrap();
        assert_eq!(page.rows[0].id(), Some("a"));
        assert_eq!(page.rows[0].get("phone"), Some(&Value::Null));
        assert_eq!(page.rows[0].get("photo"), None);
        assert_eq!(page.rows[0].fields().count(), 2);
        // What is skipped must be JSON all the same.
        let broken = Page::parse(br#"[{"id": "a", "photo": "x}]"#, &keys);
        assert!(matches!(broken, Err(BadAnswer::NotJson { .. })));
    }
}
