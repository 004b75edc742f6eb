//! One rule of a filter.

use chrono::NaiveDate;
use serde_json::Value;

use super::{
    comparison::Comparison, error::RuleFault, field_type::FieldType, operand::Seen,
    operator::Operator,
};
use crate::{CoreMember, birth};

/// Longer names than the core has.
const LONGEST_FIELD: usize = 100;

/// A rule, its value read and found to fit.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    field: String,
    field_type: FieldType,
    comparison: Comparison,
    /// Whether it holds for a field that is null, or not there.
    holds_for_null: bool,
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
        let operator = rule
            .get("operator")
            .and_then(Value::as_str)
            .and_then(Operator::named)
            .ok_or(RuleFault::UnknownOperator)?;
        let field_type = FieldType::of(field);
        if !operator.fits(field_type) {
            return Err(RuleFault::Unfit {
                operator: operator.name,
                field: field.to_owned(),
                holds: field_type.holds(),
            });
        }
        let value = rule.get("value").unwrap_or(&Value::Null);
        let comparison = Comparison::parse(operator.test, field_type, value)
            .map_err(|expected| RuleFault::Value { operator: operator.name, expected })?;
        let holds_for_null = operator.holds_for_null;
        Ok(Self { field: field.to_owned(), field_type, comparison, holds_for_null })
    }

    pub(super) fn field(&self) -> &str {
        &self.field
    }

    /// Whether the rule holds for the member; a missing field is as a null one here.
    pub(super) fn matches(&self, member: &CoreMember, today: NaiveDate) -> bool {
        let value = member.get(&self.field).filter(|value| !value.is_null());
        let Some(value) = value else { return self.holds_for_null };
        let is_birth = self.field_type.is_birth();
        let seen = if is_birth { Seen::birth(value, today) } else { Seen::Plain(value) };
        self.comparison.holds(&seen)
    }

    /// When the member has another age than `today`, where the rule asks for an age.
    pub(super) fn next_birthday(&self, member: &CoreMember, today: NaiveDate) -> Option<NaiveDate> {
        if !self.field_type.is_birth() || !self.comparison.is_with_numbers() {
            return None;
        }
        let birth = member.get(&self.field).and_then(birth::birth_date)?;
        birth::next_birthday(birth, today)
    }

    /// Whether nobody can match it: dates are neither less nor greater than numbers.
    pub(super) fn is_hollow(&self) -> bool {
        self.field_type == FieldType::Date
            && self.comparison.is_about_order()
            && self.comparison.is_with_numbers()
    }
}
