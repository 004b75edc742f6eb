//! The value of a rule, read as its operator takes it.

use serde_json::Value;

use super::{
    field_type::FieldType,
    operand::{Bound, Scalar, Seen},
    operator::Test,
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

/// What is asked of a field's value: the value of a rule, and its operator's test for it.
#[derive(Clone, Debug)]
pub(super) enum Comparison {
    Value(fn(&Seen<'_>, &Scalar) -> bool, Scalar),
    List(fn(&Seen<'_>, &[Scalar]) -> bool, Vec<Scalar>),
    /// The text in lower case.
    Text(fn(&Seen<'_>, &str) -> bool, String),
    Bound(fn(&Seen<'_>, Bound) -> bool, Bound),
    Range(fn(&Seen<'_>, Bound, Bound) -> bool, Bound, Bound),
    Nothing(fn(&Seen<'_>) -> bool),
}

impl Comparison {
    /// Reads the value that an operator's test takes; the error says what is expected.
    pub(super) fn parse(
        test: Test,
        field_type: FieldType,
        value: &Value,
    ) -> Result<Self, &'static str> {
        Ok(match test {
            Test::Value(holds) => Self::Value(holds, scalar(field_type, value)?),
            Test::List(holds) => Self::List(holds, scalars(field_type, value)?),
            Test::Text(holds) => Self::Text(holds, text(value)?),
            Test::Bound(holds) => Self::Bound(holds, bound(field_type, value)?),
            Test::Range(holds) => {
                let (low, high) = bounds(field_type, value)?;
                Self::Range(holds, low, high)
            }
            Test::Nothing(holds) => Self::Nothing(holds),
        })
    }

    /// Whether it holds for a value that is there.
    pub(super) fn holds(&self, seen: &Seen<'_>) -> bool {
        match self {
            Self::Value(holds, own) => holds(seen, own),
            Self::List(holds, list) => holds(seen, list),
            Self::Text(holds, text) => holds(seen, text),
            Self::Bound(holds, bound) => holds(seen, *bound),
            Self::Range(holds, low, high) => holds(seen, *low, *high),
            Self::Nothing(holds) => holds(seen),
        }
    }

    /// Whether it compares with a number: with an age, on a birth field.
    pub(super) fn is_with_numbers(&self) -> bool {
        let is_number = |own: &Scalar| matches!(own, Scalar::Number(_));
        match self {
            Self::Value(_, own) => is_number(own),
            Self::List(_, list) => list.iter().any(is_number),
            Self::Bound(_, bound) | Self::Range(_, bound, _) => matches!(bound, Bound::Number(_)),
            Self::Text(..) | Self::Nothing(_) => false,
        }
    }

    /// Whether it compares what comes before or after, or lies between.
    pub(super) fn is_about_order(&self) -> bool {
        matches!(self, Self::Bound(..) | Self::Range(..))
    }
}

fn scalar(field_type: FieldType, value: &Value) -> Result<Scalar, &'static str> {
    let scalar = Scalar::parse(value);
    match field_type {
        FieldType::BirthDate => match scalar {
            Some(scalar) => age_or_date(&scalar, value).ok_or(AGE_OR_DATE),
            None => Err(AGE_OR_DATE),
        },
        // A place of birth, perhaps.
        FieldType::Birth => {
            scalar.map(|scalar| age_or_date(&scalar, value).unwrap_or(scalar)).ok_or(VALUE)
        }
        FieldType::Boolean => scalar.filter(|truth| truth.as_boolean().is_some()).ok_or(BOOLEAN),
        FieldType::Date | FieldType::Text | FieldType::Unknown => scalar.ok_or(VALUE),
    }
}

fn age_or_date(scalar: &Scalar, value: &Value) -> Option<Scalar> {
    match Bound::parse(value) {
        Some(Bound::Date(date)) => Some(Scalar::Date(date)),
        _ => scalar.as_number().filter(|age| is_age(*age)).map(Scalar::Number),
    }
}

/// An empty list would match nobody, or everybody: whoever saved it meant something else.
fn scalars(field_type: FieldType, value: &Value) -> Result<Vec<Scalar>, &'static str> {
    let expected = if field_type == FieldType::BirthDate { AGES_OR_DATES } else { VALUES };
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
    list.iter().map(|value| scalar(field_type, value).map_err(|_| expected)).collect()
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

fn bound(field_type: FieldType, value: &Value) -> Result<Bound, &'static str> {
    let bound = Bound::parse(value);
    match (field_type, bound) {
        (FieldType::BirthDate | FieldType::Birth, Some(Bound::Number(age))) if is_age(age) => {
            Ok(Bound::Number(age))
        }
        (FieldType::BirthDate | FieldType::Birth, _) => Err(AGE),
        (FieldType::Date, Some(Bound::Date(date))) => Ok(Bound::Date(date)),
        // All that FaithTracker's builder takes for `between`; it matches nobody, there as here.
        (FieldType::Date, Some(Bound::Number(number))) if value.is_string() => {
            Ok(Bound::Number(number))
        }
        (FieldType::Date, _) => Err(DATE),
        (_, bound) => bound.ok_or(BOUND),
    }
}

fn bounds(field_type: FieldType, value: &Value) -> Result<(Bound, Bound), &'static str> {
    let Some([low, high]) = value.as_array().map(Vec::as_slice) else {
        return Err(BOUNDS);
    };
    let (low, high) = (bound(field_type, low)?, bound(field_type, high)?);
    if low.reaches(high) == Some(true) { Ok((low, high)) } else { Err(BOUNDS) }
}

fn is_age(number: f64) -> bool {
    (0.0..=OLDEST).contains(&number)
}
