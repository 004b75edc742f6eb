//! One rule of a filter.

use chrono::NaiveDate;
use serde_json::Value;

use super::{
    comparison::Comparison, error::RuleFault, kind::Kind, operand::Seen, operator::Operator,
};
use crate::{CoreMember, birth};

/// Longer names than the core has.
const LONGEST_FIELD: usize = 100;

/// A rule, its value read and found to fit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    field: String,
    kind: Kind,
    comparison: Comparison,
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
        if let Some((whole, _)) = field.split_once('.') {
            return Err(RuleFault::Nested { field: field.to_owned(), whole: whole.to_owned() });
        }
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
        let comparison = Comparison::parse(operator, kind, value)
            .map_err(|expected| RuleFault::Value { operator: operator.name(), expected })?;
        Ok(Self { field: field.to_owned(), kind, comparison })
    }

    pub(super) fn field(&self) -> &str {
        &self.field
    }

    /// Whether the rule holds for the member; a missing field is as a null one here.
    pub(super) fn matches(&self, member: &CoreMember, today: NaiveDate) -> bool {
        let value = member.get(&self.field).filter(|value| !value.is_null());
        let seen = value.map(|value| {
            if self.kind.is_birth() { Seen::birth(value, today) } else { Seen::Plain(value) }
        });
        self.comparison.holds(seen.as_ref())
    }

    /// When the member has another age than `today`, where the rule asks for an age.
    pub(super) fn next_birthday(&self, member: &CoreMember, today: NaiveDate) -> Option<NaiveDate> {
        if !self.kind.is_birth() || !self.comparison.is_with_numbers() {
            return None;
        }
        let birth = member.get(&self.field).and_then(birth::birth_date)?;
        birth::next_birthday(birth, today)
    }

    /// Whether nobody can match it: dates are neither less nor greater than numbers.
    pub(super) fn is_hollow(&self) -> bool {
        self.kind == Kind::Date
            && self.comparison.is_about_order()
            && self.comparison.is_with_numbers()
    }
}
