//! Text columns: what counts as text, and what Postgres can hold of it.

use std::borrow::Cow;

use serde_json::{Number, Value};

use crate::{CoreMember, Field};

/// Characters a text column keeps. No real name, phone or status comes near it; a paste accident must not
/// travel on into log messages and indexes (a btree row ends at 2,704 bytes).
const LONGEST_TEXT: usize = 500;

/// The value is of a kind that no text can be read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// The first of `keys` that holds text. Null where some of them are there and none has any; unreadable where
/// none has any and one has something else.
pub(crate) fn first_text(member: &CoreMember, keys: &[&str]) -> Result<Field<String>, Unreadable> {
    let mut found = Ok(Field::Absent);
    for key in keys {
        match member.get(key).map(clean) {
            Some(Ok(Some(text))) => return Ok(Field::Value(text)),
            Some(Ok(None)) => found = found.map(|_| Field::Null),
            Some(Err(unreadable)) => found = Err(unreadable),
            None => {}
        }
    }
    found
}

/// The text of a value, trimmed and shortened; a number counts as its decimal digits, because some senders
/// write phones so. Null and blank text are none. Booleans, lists and objects cannot be read.
pub(crate) fn clean(value: &Value) -> Result<Option<String>, Unreadable> {
    let text = match value {
        Value::String(text) => without_nul(text),
        Value::Number(number) => Cow::Owned(decimal(number)),
        Value::Null => return Ok(None),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(Unreadable),
    };
    let text = text.trim();
    let end = text.char_indices().nth(LONGEST_TEXT).map_or(text.len(), |(end, _)| end);
    let text = text[..end].trim_end();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Postgres text cannot hold U+0000, and JSON can.
pub(crate) fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) }
}

/// Whole numbers without a fraction, also where they came as `628123.0`: a phone must not gain a digit.
fn decimal(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 => format!("{float:.0}"),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Unreadable, clean};

    fn text(value: &Value) -> Option<String> {
        clean(value).unwrap_or_default()
    }

    #[test]
    fn text_is_trimmed_and_freed_of_nul() {
        assert_eq!(text(&json!("  Budi\u{0} S ")).as_deref(), Some("Budi S"));
        for blank in [json!(" \u{0} "), json!(""), json!(null)] {
            assert_eq!(clean(&blank), Ok(None));
        }
    }

    #[test]
    fn a_number_is_its_digits_and_other_types_cannot_be_read() {
        assert_eq!(text(&json!(6_281_234_567_890_u64)).as_deref(), Some("6281234567890"));
        assert_eq!(text(&json!(6_281_234_567_890.0)).as_deref(), Some("6281234567890"));
        assert_eq!(text(&json!(1e20)).as_deref(), Some("100000000000000000000"));
        assert_eq!(text(&json!(12.5)).as_deref(), Some("12.5"));
        assert_eq!(text(&json!(-7)).as_deref(), Some("-7"));
        for value in [json!(true), json!(["a"]), json!({"a": 1})] {
            assert_eq!(clean(&value), Err(Unreadable));
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = text(&json!("李".repeat(10_000))).unwrap_or_default();
        assert_eq!(text.chars().count(), 500);
    }
}
