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
    /// A birth date.
    Date(NaiveDate),
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
            Self::Boolean(_) | Self::Date(_) => None,
        }
    }

    pub(super) fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            Self::Text(text) => boolean(text),
            Self::Number(_) | Self::Date(_) => None,
        }
    }

    /// Whether the core's value is this one. Case counts, and a list is no value.
    fn is(&self, value: &Value) -> bool {
        match (value, self) {
            (_, Self::Date(own)) => birth::date(value) == Some(*own),
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

/// A value of the core as a rule sees it.
#[derive(Clone, Debug)]
pub(super) enum Seen<'a> {
    Plain(&'a Value),
    /// A birth date: the age is compared with numbers. What is no date, or still to come, has none.
    Birth(&'a Value, Option<i32>),
}

impl<'a> Seen<'a> {
    /// A birth date, on the day `today`.
    pub(super) fn birth(value: &'a Value, today: NaiveDate) -> Self {
        let age = birth::birth_date(value).and_then(|date| birth::age(date, today));
        Self::Birth(value, age)
    }

    fn value(&self) -> &'a Value {
        match self {
            Self::Plain(value) | Self::Birth(value, _) => value,
        }
    }

    pub(super) fn is(&self, own: &Scalar) -> bool {
        match (self, own) {
            (Self::Birth(..), Scalar::Number(own)) => {
                self.stands_to(Bound::Number(*own)).is_some_and(Ordering::is_eq)
            }
            _ => own.is(self.value()),
        }
    }

    pub(super) fn stands_to(&self, bound: Bound) -> Option<Ordering> {
        match (self, bound) {
            (Self::Birth(_, age), Bound::Number(own)) => f64::from((*age)?).partial_cmp(&own),
            _ => bound.compare(self.value()),
        }
    }

    /// Whether one of the texts in the value, in lower case, passes the test.
    pub(super) fn any_text(&self, test: impl Fn(&str) -> bool) -> bool {
        any_text(self.value(), &test)
    }

    /// The value as true or false.
    pub(super) fn truth(&self) -> Option<bool> {
        match self.value() {
            Value::Bool(value) => Some(*value),
            Value::String(text) => boolean(text).or_else(|| bit(text)),
            Value::Number(number) => match number.as_f64()? {
                1.0 => Some(true),
                0.0 => Some(false),
                _ => None,
            },
            _ => None,
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
    fn compare(self, value: &Value) -> Option<Ordering> {
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

/// Lists and objects are looked into; nothing, false and 0 have no text.
fn any_text(value: &Value, test: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| any_text(value, test)),
        Value::Object(fields) => {
            fields.iter().any(|(key, value)| test(&key.to_lowercase()) || any_text(value, test))
        }
        Value::String(text) => test(&text.to_lowercase()),
        Value::Number(number) => number.as_f64() != Some(0.0) && test(&number.to_string()),
        Value::Bool(value) => *value && test("true"),
        Value::Null => false,
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

fn bit(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}
