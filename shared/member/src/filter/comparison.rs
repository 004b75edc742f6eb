//! An operator together with what it compares with.

use std::cmp::Ordering;

use serde_json::Value;

use super::{
    kind::Kind,
    operand::{Bound, Scalar, Seen},
    operator::Operator,
};

/// More values than anybody writes by hand into `in`.
const MOST_VALUES: usize = 1000;
/// An age above this is a year of birth put in the wrong place.
const OLDEST: f64 = 150.0;

const VALUE: &str = "text, a number, true or false";
const TEXT: &str = "text that is not empty";
const BOOLEAN: &str = "true or false";
const AGE: &str = "an age in years, from 0 to 150";
const AGE_OR_DATE: &str = "an age in years, from 0 to 150, or a date YYYY-MM-DD";
const DATE: &str = "a date YYYY-MM-DD";
const BOUND: &str = "a number or a date YYYY-MM-DD";
const VALUES: &str = "a list of 1 to 1000 texts, numbers, true or false";
const AGES_OR_DATES: &str = "a list of 1 to 1000 ages in years, from 0 to 150, or dates YYYY-MM-DD";
const BOUNDS: &str = "a list of two numbers or two dates YYYY-MM-DD, the lower one first";

/// What is asked of a field's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Comparison {
    Equals(Scalar),
    NotEquals(Scalar),
    /// The text in lower case.
    Contains(String),
    In(Vec<Scalar>),
    NotIn(Vec<Scalar>),
    GreaterThan(Bound),
    LessThan(Bound),
    Between(Bound, Bound),
    Is(bool),
}

impl Comparison {
    /// Reads the value; the error says what is expected.
    pub(super) fn parse(
        operator: Operator,
        kind: Kind,
        value: &Value,
    ) -> Result<Self, &'static str> {
        Ok(match operator {
            Operator::Equals => Self::Equals(scalar(kind, value)?),
            Operator::NotEquals => Self::NotEquals(scalar(kind, value)?),
            Operator::Contains => Self::Contains(text(value)?),
            Operator::In => Self::In(scalars(kind, value)?),
            Operator::NotIn => Self::NotIn(scalars(kind, value)?),
            Operator::GreaterThan => Self::GreaterThan(bound(kind, value)?),
            Operator::LessThan => Self::LessThan(bound(kind, value)?),
            Operator::Between => {
                let (low, high) = bounds(kind, value)?;
                Self::Between(low, high)
            }
            // FaithTracker's builder leaves there what the operator before had.
            Operator::IsTrue => Self::Is(true),
            Operator::IsFalse => Self::Is(false),
        })
    }

    /// Whether it holds for a value; a null one passes only what it can be said not to be.
    pub(super) fn holds(&self, seen: Option<&Seen<'_>>) -> bool {
        let Some(seen) = seen else {
            return matches!(self, Self::NotEquals(_) | Self::NotIn(_) | Self::Is(false));
        };
        match self {
            Self::Equals(own) => seen.is(own),
            Self::NotEquals(own) => !seen.is(own),
            Self::Contains(text) => seen.contains(text),
            Self::In(list) => list.iter().any(|own| seen.is(own)),
            Self::NotIn(list) => !list.iter().any(|own| seen.is(own)),
            Self::GreaterThan(bound) => seen.stands_to(*bound).is_some_and(Ordering::is_gt),
            Self::LessThan(bound) => seen.stands_to(*bound).is_some_and(Ordering::is_lt),
            Self::Between(low, high) => {
                seen.stands_to(*low).is_some_and(Ordering::is_ge)
                    && seen.stands_to(*high).is_some_and(Ordering::is_le)
            }
            Self::Is(wanted) => seen.truth() == Some(*wanted),
        }
    }

    /// Whether it compares with a number: with an age, on a birth field.
    pub(super) fn is_with_numbers(&self) -> bool {
        let is_number = |own: &Scalar| matches!(own, Scalar::Number(_));
        match self {
            Self::Equals(own) | Self::NotEquals(own) => is_number(own),
            Self::In(list) | Self::NotIn(list) => list.iter().any(is_number),
            Self::GreaterThan(bound) | Self::LessThan(bound) | Self::Between(bound, _) => {
                matches!(bound, Bound::Number(_))
            }
            Self::Contains(_) | Self::Is(_) => false,
        }
    }

    /// Whether it compares what comes before or after, or lies between.
    pub(super) fn is_about_order(&self) -> bool {
        matches!(self, Self::GreaterThan(_) | Self::LessThan(_) | Self::Between(..))
    }
}

fn scalar(kind: Kind, value: &Value) -> Result<Scalar, &'static str> {
    let scalar = Scalar::parse(value);
    match kind {
        Kind::BirthDate => match scalar {
            Some(scalar) => age_or_date(&scalar, value).ok_or(AGE_OR_DATE),
            None => Err(AGE_OR_DATE),
        },
        // A place of birth, perhaps.
        Kind::Birth => {
            scalar.map(|scalar| age_or_date(&scalar, value).unwrap_or(scalar)).ok_or(VALUE)
        }
        Kind::Boolean => scalar.filter(|truth| truth.as_boolean().is_some()).ok_or(BOOLEAN),
        Kind::Date | Kind::Text | Kind::Unknown => scalar.ok_or(VALUE),
    }
}

fn age_or_date(scalar: &Scalar, value: &Value) -> Option<Scalar> {
    match Bound::parse(value) {
        Some(Bound::Date(date)) => Some(Scalar::Date(date)),
        _ => scalar.as_number().filter(|age| is_age(*age)).map(Scalar::Number),
    }
}

/// An empty list would match nobody, or everybody: whoever saved it meant something else.
fn scalars(kind: Kind, value: &Value) -> Result<Vec<Scalar>, &'static str> {
    let expected = if kind == Kind::BirthDate { AGES_OR_DATES } else { VALUES };
    let typed;
    let list = match value {
        Value::Array(list) => list,
        Value::String(text) => {
            typed = listed(text);
            &typed
        }
        _ => return Err(expected),
    };
    if !(1..=MOST_VALUES).contains(&list.len()) {
        return Err(expected);
    }
    list.iter().map(|value| scalar(kind, value).map_err(|_| expected)).collect()
}

/// What FaithTracker's builder stores as one text: the value that was chosen, where a field has few of them, or
/// a list as it was typed under another operator.
fn listed(text: &str) -> Vec<Value> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let mut list: Vec<Value> = parts.map(Value::from).collect();
    if list.len() > 1 {
        list.push(Value::from(text));
    }
    list
}

fn text(value: &Value) -> Result<String, &'static str> {
    let text = match value {
        Value::String(text) => text.to_lowercase(),
        Value::Number(number) => number.to_string(),
        _ => return Err(TEXT),
    };
    if text.is_empty() { Err(TEXT) } else { Ok(text) }
}

fn bound(kind: Kind, value: &Value) -> Result<Bound, &'static str> {
    let bound = Bound::parse(value);
    match (kind, bound) {
        (Kind::BirthDate | Kind::Birth, Some(Bound::Number(age))) if is_age(age) => {
            Ok(Bound::Number(age))
        }
        (Kind::BirthDate | Kind::Birth, _) => Err(AGE),
        (Kind::Date, Some(Bound::Date(date))) => Ok(Bound::Date(date)),
        // All that FaithTracker's builder takes for `between`; it matches nobody, there as here.
        (Kind::Date, Some(Bound::Number(number))) if value.is_string() => Ok(Bound::Number(number)),
        (Kind::Date, _) => Err(DATE),
        (_, bound) => bound.ok_or(BOUND),
    }
}

fn bounds(kind: Kind, value: &Value) -> Result<(Bound, Bound), &'static str> {
    let Some([low, high]) = value.as_array().map(Vec::as_slice) else {
        return Err(BOUNDS);
    };
    let (low, high) = (bound(kind, low)?, bound(kind, high)?);
    if low.reaches(high) == Some(true) { Ok((low, high)) } else { Err(BOUNDS) }
}

fn is_age(number: f64) -> bool {
    (0.0..=OLDEST).contains(&number)
}
