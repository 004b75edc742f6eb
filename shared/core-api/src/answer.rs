//! The shapes of the core's answers. Anything else is an error, never an empty list.

use std::time::Duration;

use member::CoreMember;
use serde_json::{Map, Value};

use crate::{BadAnswer, Token};

/// How long the core's tokens live where the answer does not say.
const USUAL_LIFETIME: Duration = Duration::from_hours(24);

/// A page of the member list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The members, each with an id.
    pub rows: Vec<CoreMember>,
    /// What the core said of the rest.
    pub paging: Paging,
    /// How large the answer was, uncompressed.
    pub bytes: usize,
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

impl Page {
    /// Whether the list ends with this page. A bare list ends with an empty page, not with a short one: the
    /// core may give fewer rows than asked for.
    pub fn is_last(&self) -> bool {
        match self.paging {
            Paging::Bare => self.rows.is_empty(),
            Paging::Counted { has_more, .. } => !has_more,
        }
    }

    pub(crate) fn parse(body: &[u8]) -> Result<Self, BadAnswer> {
        let (rows, paging) = match json(body)? {
            Value::Array(rows) => (rows, Paging::Bare),
            Value::Object(mut answer) => {
                let paging = counted(&answer).ok_or(BadAnswer::UnknownShape)?;
                match answer.remove("data") {
                    Some(Value::Array(rows)) => (rows, paging),
                    _ => return Err(BadAnswer::UnknownShape),
                }
            }
            _ => return Err(BadAnswer::UnknownShape),
        };
        let rows = rows.into_iter().map(row).collect::<Result<Vec<_>, _>>()?;
        // Whoever follows such a page asks for ever.
        if rows.is_empty() && matches!(paging, Paging::Counted { has_more: true, .. }) {
            return Err(BadAnswer::EmptyPage);
        }
        Ok(Self { rows, paging, bytes: body.len() })
    }
}

/// A token, fresh from a login.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: Token,
    /// How long it is good for, from now on.
    pub lifetime: Duration,
}

impl IssuedToken {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, BadAnswer> {
        let answer = json(body)?;
        let token = answer.get("access_token").and_then(Value::as_str).and_then(Token::new);
        let lifetime =
            answer.get("expires_in").and_then(Value::as_u64).filter(|seconds| *seconds > 0);
        Ok(Self {
            token: token.ok_or(BadAnswer::NoToken)?,
            lifetime: lifetime.map_or(USUAL_LIFETIME, Duration::from_secs),
        })
    }
}

/// The member with this id, bare or as `{"data":{…}}`.
pub(crate) fn member(body: &[u8], id: &str) -> Result<CoreMember, BadAnswer> {
    let Value::Object(mut answer) = json(body)? else {
        return Err(BadAnswer::UnknownShape);
    };
    if !answer.contains_key("id")
        && let Some(Value::Object(data)) = answer.get_mut("data")
    {
        answer = std::mem::take(data);
    }
    let member = CoreMember::from(answer);
    match member.id() {
        Some(found) if found == id => Ok(member),
        Some(_) => Err(BadAnswer::OtherMember),
        None => Err(BadAnswer::NoId),
    }
}

fn row(row: Value) -> Result<CoreMember, BadAnswer> {
    let Value::Object(row) = row else {
        return Err(BadAnswer::UnknownShape);
    };
    let member = CoreMember::from(row);
    if member.id().is_some() { Ok(member) } else { Err(BadAnswer::NoId) }
}

fn counted(answer: &Map<String, Value>) -> Option<Paging> {
    let pagination = answer.get("pagination")?;
    let has_more = pagination.get("has_more")?.as_bool()?;
    Some(Paging::Counted { has_more, total: pagination.get("total").and_then(Value::as_u64) })
}

/// serde's own message may quote the text; where it went wrong is enough.
fn json(body: &[u8]) -> Result<Value, BadAnswer> {
    serde_json::from_slice(body)
        .map_err(|error| BadAnswer::NotJson { line: error.line(), column: error.column() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(value: &Value) -> Result<Page, BadAnswer> {
        Page::parse(value.to_string().as_bytes())
    }

    #[test]
    fn both_list_shapes_are_read() {
        let bare = page(&json!([{"id": "a"}, {"id": "b"}])).unwrap();
        assert_eq!((bare.rows.len(), bare.paging, bare.is_last()), (2, Paging::Bare, false));
        assert!(page(&json!([])).unwrap().is_last());
        let counted = |has_more| {
            let pagination = json!({"total": 9, "limit": 1, "offset": 0, "has_more": has_more});
            page(&json!({"data": [{"id": "a"}], "pagination": pagination})).unwrap()
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
            json!({"data": [], "pagination": {"has_more": "no"}}),
            json!({"members": []}),
            json!({"detail": "x"}),
            json!(null),
            json!("x"),
            json!([1]),
            json!([[]]),
        ];
        for value in unknown {
            assert_eq!(page(&value), Err(BadAnswer::UnknownShape), "{value}");
        }
        assert_eq!(page(&json!([{"id": "a"}, {"name": "x"}])), Err(BadAnswer::NoId));
        let endless = json!({"data": [], "pagination": {"has_more": true}});
        assert_eq!(page(&endless), Err(BadAnswer::EmptyPage));
        assert!(matches!(Page::parse(b"[{\"id\":"), Err(BadAnswer::NotJson { .. })));
        assert!(matches!(Page::parse(b""), Err(BadAnswer::NotJson { .. })));
    }

    #[test]
    fn a_member_is_the_one_that_was_asked_for() {
        let of = |value: Value| member(value.to_string().as_bytes(), "a");
        assert!(of(json!({"id": "a"})).is_ok());
        assert_eq!(of(json!({"data": {"id": "a", "x": 1}})).unwrap().get("x"), Some(&json!(1)));
        // A member that has a field called data is still the member.
        assert!(of(json!({"id": "a", "data": {"id": "b"}})).unwrap().get("data").is_some());
        assert_eq!(of(json!({"id": "b"})), Err(BadAnswer::OtherMember));
        assert_eq!(of(json!({"id": 5})), Err(BadAnswer::NoId));
        assert_eq!(of(json!({})), Err(BadAnswer::NoId));
        assert_eq!(of(json!([{"id": "a"}])), Err(BadAnswer::UnknownShape));
    }

    #[test]
    fn a_login_gives_a_token_with_its_lifetime() {
        let of = |value: Value| IssuedToken::parse(value.to_string().as_bytes());
        assert_eq!(of(json!({"access_token": "t"})).unwrap().lifetime, USUAL_LIFETIME);
        let short = of(json!({"access_token": "t", "expires_in": 60})).unwrap();
        assert_eq!((short.token.reveal(), short.lifetime), ("t", Duration::from_mins(1)));
        for bad in
            [json!({}), json!({"access_token": ""}), json!({"access_token": "a\nb"}), json!([])]
        {
            assert_eq!(of(bad).unwrap_err(), BadAnswer::NoToken);
        }
    }
}
