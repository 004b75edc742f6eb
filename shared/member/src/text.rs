//! Text columns: what counts as text, and what Postgres can hold of it.

use std::borrow::Cow;

use serde_json::{Number, Value};

use crate::{CoreMember, Field};

/// Characters a text column keeps. No real name, phone or status comes near it; a paste accident must not
/// travel on into log messages and indexes (a btree row ends at 2,704 bytes).
const LONGEST_TEXT: usize = 500;

/// The first of `keys` that holds text. Null where some of them are there and none has any.
pub(crate) fn first_text(member: &CoreMember, keys: &[&str]) -> Field<String> {
    let mut found = Field::Absent;
    for key in keys {
        match member.get(key).map(clean) {
            Some(Some(text)) => return Field::Value(text),
            Some(None) => found = Field::Null,
            None => {}
        }
    }
    found
}

/// The text of a value, trimmed and shortened; a number counts as its decimal digits, because some senders
/// write phones so. Blank text, booleans, lists and objects count as none.
pub(crate) fn clean(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => without_nul(text),
        Value::Number(number) => Cow::Owned(decimal(number)),
        _ => return None,
    };
    let text = text.trim();
    let end = text.char_indices().nth(LONGEST_TEXT).map_or(text.len(), |(end, _)| end);
    let text = text[..end].trim_end();
    (!text.is_empty()).then(|| text.to_owned())
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
    use serde_json::json;

    use super::clean;

    #[test]
    fn text_is_trimmed_and_freed_of_nul() {
        assert_eq!(clean(&json!("  Budi\u{0} S ")).as_deref(), Some("Budi S"));
        assert_eq!(clean(&json!(" \u{0} ")), None);
        assert_eq!(clean(&json!("")), None);
    }

    #[test]
    fn a_number_is_its_digits_and_other_types_are_nothing() {
        assert_eq!(clean(&json!(6_281_234_567_890_u64)).as_deref(), Some("6281234567890"));
        assert_eq!(clean(&json!(6_281_234_567_890.0)).as_deref(), Some("6281234567890"));
        for value in [json!(true), json!(["a"]), json!({"a": 1}), json!(null)] {
            assert_eq!(clean(&value), None);
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = clean(&json!("李".repeat(10_000))).unwrap_or_default();
        assert_eq!(text.chars().count(), 500);
    }
}
