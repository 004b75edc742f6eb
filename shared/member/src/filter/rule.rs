//! One rule of a filter.

use chrono::NaiveDate;
use serde_json::Value;

use super::{
    error::RuleFault,
    kind::Kind,
    operand::{Bound, Scalar, contains, truth},
};
use crate::{CoreMember, birth};

/// Longer names than the core has.
const LONGEST_FIELD: usize = 100;
/// More values than anybody writes by hand into `in`.
const MOST_VALUES: usize = 1000;
/// An age above this is a year of birth put in the wrong place.
const OLDEST: f64 = 150.0;

const VALUE: &str = "text, a number, true or false";
const TEXT: &str = "text that is not empty";
const BOOLEAN: &str = "true or false";
const AGE: &str = "an age in years, from 0 to 150";
const DATE: &str = "a date YYYY-MM-DD";
const BOUND: &str = "a number or a date YYYY-MM-DD";
const VALUES: &str = "a list of 1 to 1000 texts, numbers, true or false";
const AGES: &str = "a list of 1 to 1000 ages in years, from 0 to 150";
const BOUNDS: &str = "a list of two numbers or two dates YYYY-MM-DD, the lower one first";
const NOTHING: &str = "no value";

/// The operators by the names that they are stored under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    NotEquals,
    Contains,
    In,
    NotIn,
    GreaterThan,
    LessThan,
    Between,
    IsTrue,
    IsFalse,
}

impl Operator {
    const ALL: [Self; 10] = [
        Self::Equals,
        Self::NotEquals,
        Self::Contains,
        Self::In,
        Self::NotIn,
        Self::GreaterThan,
        Self::LessThan,
        Self::Between,
        Self::IsTrue,
        Self::IsFalse,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::NotEquals => "not_equals",
            Self::Contains => "contains",
            Self::In => "in",
            Self::NotIn => "not_in",
            Self::GreaterThan => "greater_than",
            Self::LessThan => "less_than",
            Self::Between => "between",
            Self::IsTrue => "is_true",
            Self::IsFalse => "is_false",
        }
    }

    fn parse(value: Option<&Value>) -> Result<Self, RuleFault> {
        let name = value.and_then(Value::as_str).unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|operator| operator.name() == name)
            .ok_or(RuleFault::UnknownOperator)
    }
}

/// A rule, its value read and found to fit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    field: String,
    kind: Kind,
    test: Test,
}

/// An operator with what it compares with.
#[derive(Clone, Debug, PartialEq)]
enum Test {
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

impl Rule {
    pub(super) fn parse(rule: &Value) -> Result<Self, RuleFault> {
        let rule = rule.as_object().ok_or(RuleFault::NotAnObject)?;
        if let Some(key) =
            rule.keys().find(|key| !matches!(key.as_str(), "field" | "operator" | "value"))
        {
            return Err(RuleFault::UnknownKey(key.clone()));
        }
        let field = rule
            .get("field")
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|field| !field.is_empty() && field.len() <= LONGEST_FIELD)
            .ok_or(RuleFault::NoField)?;
        let operator = Operator::parse(rule.get("operator"))?;
        let kind = Kind::of(field);
        if !kind.takes(operator) {
            return Err(RuleFault::Unfit {
                operator: operator.name(),
                field: field.to_owned(),
                holds: kind.holds(),
            });
        }
        let value = rule.get("value").unwrap_or(&Value::Null);
        let test = Test::parse(operator, kind, value)
            .map_err(|expected| RuleFault::Value { operator: operator.name(), expected })?;
        Ok(Self { field: field.to_owned(), kind, test })
    }

    pub(super) fn field(&self) -> &str {
        &self.field
    }

    /// A missing or null field passes only what it can be said not to be.
    pub(super) fn matches(&self, member: &CoreMember, today: NaiveDate) -> bool {
        let value = member.get(&self.field).filter(|value| !value.is_null());
        if self.kind == Kind::Age {
            let age = value.and_then(birth::birth_date).and_then(|date| birth::age(date, today));
            return self.test.holds(age.map(Value::from).as_ref());
        }
        self.test.holds(value)
    }
}

impl Test {
    /// Reads the value; the error says what is expected.
    fn parse(operator: Operator, kind: Kind, value: &Value) -> Result<Self, &'static str> {
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
            Operator::IsTrue if value.is_null() => Self::Is(true),
            Operator::IsFalse if value.is_null() => Self::Is(false),
            Operator::IsTrue | Operator::IsFalse => return Err(NOTHING),
        })
    }

    fn holds(&self, value: Option<&Value>) -> bool {
        let Some(value) = value else {
            return matches!(self, Self::NotEquals(_) | Self::NotIn(_));
        };
        match self {
            Self::Equals(own) => own.is(value),
            Self::NotEquals(own) => !own.is(value),
            Self::Contains(text) => contains(value, text),
            Self::In(list) => list.iter().any(|own| own.is(value)),
            Self::NotIn(list) => !list.iter().any(|own| own.is(value)),
            Self::GreaterThan(bound) => bound.compare(value).is_some_and(std::cmp::Ordering::is_gt),
            Self::LessThan(bound) => bound.compare(value).is_some_and(std::cmp::Ordering::is_lt),
            Self::Between(low, high) => {
                low.compare(value).is_some_and(std::cmp::Ordering::is_ge)
                    && high.compare(value).is_some_and(std::cmp::Ordering::is_le)
            }
            Self::Is(wanted) => truth(value) == Some(*wanted),
        }
    }
}

fn scalar(kind: Kind, value: &Value) -> Result<Scalar, &'static str> {
    let scalar = Scalar::parse(value);
    match kind {
        Kind::Age => scalar.filter(|age| is_age(age.as_number())).ok_or(AGE),
        Kind::Boolean => scalar.filter(|truth| truth.as_boolean().is_some()).ok_or(BOOLEAN),
        Kind::Date | Kind::Text | Kind::Unknown => scalar.ok_or(VALUE),
    }
}

/// An empty list would match nobody, or everybody: whoever saved it meant something else.
fn scalars(kind: Kind, value: &Value) -> Result<Vec<Scalar>, &'static str> {
    let expected = if kind == Kind::Age { AGES } else { VALUES };
    let list =
        value.as_array().filter(|list| (1..=MOST_VALUES).contains(&list.len())).ok_or(expected)?;
    list.iter().map(|value| scalar(kind, value).map_err(|_| expected)).collect()
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
        (Kind::Age, Some(Bound::Number(age))) if is_age(Some(age)) => Ok(Bound::Number(age)),
        (Kind::Age, _) => Err(AGE),
        (Kind::Date, Some(Bound::Date(date))) => Ok(Bound::Date(date)),
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

fn is_age(number: Option<f64>) -> bool {
    number.is_some_and(|age| (0.0..=OLDEST).contains(&age))
}
