//! The shape of a login's answer. Anything else is an error.

use std::time::Duration;

use serde_json::Value;

use crate::{BadAnswer, Token};

/// How long the core's tokens live where the answer does not say.
const USUAL_LIFETIME: Duration = Duration::from_hours(24);

/// No token is believed to live longer: whatever the answer says must fit into a timestamp.
const LONGEST_LIFETIME: Duration = Duration::from_hours(24 * 30);

/// A token, fresh from a login.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: Token,
    /// How long it is good for, from now on.
    pub lifetime: Duration,
    /// The church whose members it shows; none of an account that sees every church.
    pub church: Option<String>,
}

impl IssuedToken {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, BadAnswer> {
        let answer = json(body)?;
        let token = answer.get("access_token").and_then(Value::as_str).and_then(Token::new);
        let lifetime =
            answer.get("expires_in").and_then(Value::as_u64).filter(|seconds| *seconds > 0);
        Ok(Self {
            token: token.ok_or(BadAnswer::NoToken)?,
            lifetime: lifetime.map_or(USUAL_LIFETIME, Duration::from_secs).min(LONGEST_LIFETIME),
            church: church(&answer),
        })
    }
}

/// The account's own church, else the one that it logged in to.
fn church(answer: &Value) -> Option<String> {
    ["/user/church_id", "/church/id"]
        .into_iter()
        .filter_map(|place| answer.pointer(place)?.as_str())
        .find(|id| !id.is_empty())
        .map(ToOwned::to_owned)
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

    #[test]
    fn a_login_gives_a_token_with_its_lifetime() {
        let of = |value: Value| IssuedToken::parse(value.to_string().as_bytes());
        assert_eq!(of(json!({"access_token": "t"})).unwrap().lifetime, USUAL_LIFETIME);
        let short = of(json!({"access_token": "t", "expires_in": 60})).unwrap();
        assert_eq!((short.token.reveal(), short.lifetime), ("t", Duration::from_mins(1)));
        let church = |answer: Value| of(answer).unwrap().church;
        let both = json!({"access_token": "t", "user": {"church_id": "a"}, "church": {"id": "b"}});
        assert_eq!(church(both).as_deref(), Some("a"));
        let chosen =
            json!({"access_token": "t", "user": {"church_id": null}, "church": {"id": "b"}});
        assert_eq!(church(chosen).as_deref(), Some("b"));
        assert_eq!(church(json!({"access_token": "t", "user": {}, "church": null})), None);
        for endless in [u64::MAX, i64::MAX.unsigned_abs(), 400_000_000_000] {
            let answer = json!({"access_token": "t", "expires_in": endless});
            assert_eq!(of(answer).unwrap().lifetime, LONGEST_LIFETIME, "{endless}");
        }
        for bad in
            [json!({}), json!({"access_token": ""}), json!({"access_token": "a\nb"}), json!([])]
        {
            assert_eq!(of(bad).unwrap_err(), BadAnswer::NoToken);
        }
    }
}
