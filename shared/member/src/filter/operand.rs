//! The values that rules compare with, and how the core's values stand to them.
//!
//! Both sides may write numbers and booleans as strings: `"18"` is 18 and `"true"` is true. Two strings are
//! compared as strings, so that `"0812"` is not `"812"`.

use std::cmp::Ordering;

use chrono::NaiveDate;
use serde_json::Value;

use crate::birth;

/// Something to be equal to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Text(String),
    Number(f64),
    Boolean(bool),
}

impl Scalar {
    pub(super) fn parse(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) => number.as_f64().map(Self::Number),
            Value::Bool(boolean) => Some(Self::Boolean(*boolean)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => number(text),
            Self::Boolean(_) => None,
        }
    }

    pub(super) fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            Self::Text(text) => boolean(text),
            Self::Number(_) => None,
        }
    }

    /// Whether the core's value is this one, or is a list that has it. Case counts.
    pub(super) fn is(&self, value: &Value) -> bool {
        match (value, self) {
            (Value::Array(values), _) => values.iter().any(|value| self.is(value)),
            (Value::String(text), Self::Text(own)) => text == own,
            (Value::Bool(value), _) => self.as_boolean() == Some(*value),
            (Value::String(text), Self::Boolean(own)) => boolean(text) == Some(*own),
            (Value::Number(_), _) | (Value::String(_), Self::Number(_)) => self
                .as_number()
                .and_then(|own| compare_numbers(value, own))
                .is_some_and(Ordering::is_eq),
            _ => false,
        }
    }
}

/// Something to be less or greater than.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    Number(f64),
    Date(NaiveDate),
}

impl Bound {
    /// A number, a numeric string, or a date `YYYY-MM-DD`.
    pub(super) fn parse(value: &Value) -> Option<Self> {
        if let Some(number) = Scalar::parse(value)?.as_number() {
            return Some(Self::Number(number));
        }
        // A time of day would promise a precision that comparing by date does not have.
        let is_date = value.as_str().is_some_and(|text| text.trim().len() == 10);
        birth::date(value).filter(|_| is_date).map(Self::Date)
    }

    /// How the core's value stands to this bound. None where they cannot be compared.
    pub(super) fn compare(self, value: &Value) -> Option<Ordering> {
        match self {
            Self::Number(own) => compare_numbers(value, own),
            Self::Date(own) => birth::date(value).map(|date| date.cmp(&own)),
        }
    }

    /// Whether a range from this bound to the other has anything in it. None where they are of two kinds.
    pub(super) fn reaches(self, high: Self) -> Option<bool> {
        match (self, high) {
            (Self::Number(low), Self::Number(high)) => Some(low <= high),
            (Self::Date(low), Self::Date(high)) => Some(low <= high),
            _ => None,
        }
    }
}

/// The text that `contains` looks into: lists are looked into one by one.
pub(super) fn contains(value: &Value, lowercase: &str) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| contains(value, lowercase)),
        Value::String(text) => text.to_lowercase().contains(lowercase),
        Value::Number(number) => number.to_string().contains(lowercase),
        Value::Null | Value::Bool(_) | Value::Object(_) => false,
    }
}

/// The core's value as true or false.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => boolean(text),
        _ => None,
    }
}

fn compare_numbers(value: &Value, own: f64) -> Option<Ordering> {
    match value {
        Value::Number(number) => number.as_f64()?.partial_cmp(&own),
        Value::String(text) => number(text)?.partial_cmp(&own),
        _ => None,
    }
}

/// `parse` alone would also take `inf`, `nan` and `1e9`, which are names more often than numbers.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_decimal =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
    is_decimal.then(|| text.parse().ok()).flatten()
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}
