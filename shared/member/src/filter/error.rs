//! What is wrong with a filter, in words for the person who wrote it.

use thiserror::Error;

use super::operator::operator_choice;

/// A filter that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterError {
    /// The mode is neither of the two.
    #[error("filter mode: expected include or exclude")]
    UnknownMode,
    /// The rules are no list.
    #[error(r#"filter rules: expected a list of {{"field","operator","value"}}"#)]
    NotAList,
    /// There are more rules than make sense.
    #[error("filter rules: {found} of them, expected at most {most}")]
    TooManyRules {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// One rule is refused.
    #[error("filter rule {number}: {fault}")]
    Rule {
        /// Its place in the list, the first being 1.
        number: usize,
        /// What is wrong with it.
        fault: RuleFault,
    },
}

/// What is wrong with one rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleFault {
    /// The rule is no object.
    #[error(r#"expected an object {{"field","operator","value"}}"#)]
    NotAnObject,
    /// The rule has a key that means nothing, probably a misspelled one.
    #[error("unknown key {0:?}, expected field, operator and value")]
    UnknownKey(String),
    /// The field is missing, blank, too long, or no string.
    #[error("field: expected the name of a top-level field of the core's member")]
    NoField,
    /// The field is inside of another one.
    #[error(
        "field {field:?}: rules see the top-level fields of the core's member only; {whole:?} is one, and contains looks into all of it"
    )]
    Nested {
        /// The field as it was written.
        field: String,
        /// The top-level field that it is in.
        whole: String,
    },
    /// The operator is missing or none that exists.
    #[error("operator: expected {}", operator_choice())]
    UnknownOperator,
    /// The operator makes no sense on this field.
    #[error("operator {operator} does not fit the field {field:?}, which holds {holds}")]
    Unfit {
        /// The operator as stored.
        operator: &'static str,
        /// The field.
        field: String,
        /// What the field holds.
        holds: &'static str,
    },
    /// The value does not fit the operator and the field.
    #[error("value for {operator}: expected {expected}")]
    Value {
        /// The operator as stored.
        operator: &'static str,
        /// What would do.
        expected: &'static str,
    },
}
