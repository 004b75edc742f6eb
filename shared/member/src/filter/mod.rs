//! Sync filters: which of the core's members a campus has at all.
//!
//! A filter is read from its stored JSON once, and what does not make sense is refused there, when it is saved.
//! So asking it about a member cannot fail.

mod comparison;
mod error;
mod field_type;
mod operand;
mod operator;
mod rule;

use chrono::NaiveDate;
use serde_json::Value;

use crate::CoreMember;
pub use error::{FilterError, RuleFault};
pub use operator::operator_names;
use rule::Rule;

/// More rules than anybody can keep an overview of are an accident.
pub const MOST_RULES: usize = 50;

/// What the rules of a filter say of those who match all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Keep them, and nobody else.
    #[default]
    Include,
    /// Drop them, and nobody else.
    Exclude,
}

/// A campus's sync filter. The default one keeps everyone.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    mode: Mode,
    rules: Vec<Rule>,
}

impl Filter {
    /// Reads a stored filter: `include` or `exclude`, and a list of `{"field","operator","value"}`. Null and an
    /// empty list are no rules, which keep everyone in either mode.
    pub fn parse(mode: &str, rules: &Value) -> Result<Self, FilterError> {
        let mode = match mode {
            "include" => Mode::Include,
            "exclude" => Mode::Exclude,
            _ => return Err(FilterError::UnknownMode),
        };
        let rules: &[Value] = match rules {
            Value::Null => &[],
            Value::Array(rules) => rules,
            _ => return Err(FilterError::NotAList),
        };
        if rules.len() > MOST_RULES {
            return Err(FilterError::TooManyRules { found: rules.len(), most: MOST_RULES });
        }
        let rules = rules
            .iter()
            .enumerate()
            .map(|(index, rule)| {
                Rule::parse(rule).map_err(|fault| FilterError::Rule { number: index + 1, fault })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { mode, rules })
    }

    /// Whether the campus has this member, `today` being the date at the campus (birth fields are compared by
    /// age).
    pub fn keeps(&self, member: &CoreMember, today: NaiveDate) -> bool {
        if self.rules.is_empty() {
            return true;
        }
        let matches_all = self.rules.iter().all(|rule| rule.matches(member, today));
        matches_all == (self.mode == Mode::Include)
    }

    /// Whether no rule keeps anyone out.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The fields that the rules name, each once, in the order of the rules.
    pub fn fields(&self) -> Vec<&str> {
        let mut fields: Vec<&str> = Vec::new();
        for rule in &self.rules {
            if !fields.contains(&rule.field()) {
                fields.push(rule.field());
            }
        }
        fields
    }

    /// The first day after `today` on which a rule may say something else of the member although the core says
    /// the same: a birthday, where rules ask for an age.
    pub fn next_birthday(&self, member: &CoreMember, today: NaiveDate) -> Option<NaiveDate> {
        self.rules.iter().filter_map(|rule| rule.next_birthday(member, today)).min()
    }

    /// The fields whose rules nobody can match, although FaithTracker's builder makes such.
    pub fn hollow_fields(&self) -> Vec<&str> {
        self.rules.iter().filter(|rule| rule.is_hollow()).map(Rule::field).collect()
    }

    /// The fields that the rules name and the core's answer does not have at all. A null one is not missing.
    pub fn missing_fields(&self, member: &CoreMember) -> Vec<&str> {
        let mut fields = self.fields();
        fields.retain(|field| member.get(field).is_none());
        fields
    }
}

#[cfg(test)]
mod tests;
