//! The operators by the names that they are stored under.

use serde_json::Value;

use super::error::RuleFault;

/// How a rule compares.
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

    pub(super) const fn name(self) -> &'static str {
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

    pub(super) fn parse(value: Option<&Value>) -> Result<Self, RuleFault> {
        let name = value.and_then(Value::as_str).unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|operator| operator.name() == name)
            .ok_or(RuleFault::UnknownOperator)
    }
}
