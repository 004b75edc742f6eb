//! The operators: one table, from which rules are read and compared, and which errors and help name.

use std::cmp::Ordering;

use super::{
    field_type::FieldType::{self, Birth, BirthDate, Boolean, Date, Text, Unknown},
    operand::{Bound, Scalar, Seen},
};

/// How a rule compares: a row of the table.
#[derive(Debug)]
pub(super) struct Operator {
    /// As it is stored.
    pub(super) name: &'static str,
    /// The types of field that it can match on. On any other it is refused.
    pub(super) fits: &'static [FieldType],
    /// Whether it holds for a field that is null, or not there.
    pub(super) holds_for_null: bool,
    /// What value it takes, and when it holds for a field.
    pub(super) test: Test,
}

/// What value an operator takes, and when it holds for a field's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Test {
    /// Text, a number, true or false.
    Value(fn(&Seen<'_>, &Scalar) -> bool),
    /// Several of them.
    List(fn(&Seen<'_>, &[Scalar]) -> bool),
    /// Text, in lower case.
    Text(fn(&Seen<'_>, &str) -> bool),
    /// A number, a date, or an age.
    Bound(fn(&Seen<'_>, Bound) -> bool),
    /// The lower and the higher of two.
    Range(fn(&Seen<'_>, Bound, Bound) -> bool),
    /// None: whatever stands there is left over from another operator of FaithTracker's builder.
    Nothing(fn(&Seen<'_>) -> bool),
}

/// Every operator.
static OPERATORS: &[Operator] = &[
    Operator {
        name: "equals",
        fits: &[BirthDate, Birth, Boolean, Date, Text, Unknown],
        holds_for_null: false,
        test: Test::Value(equals),
    },
    Operator {
        name: "not_equals",
        fits: &[BirthDate, Birth, Boolean, Date, Text, Unknown],
        holds_for_null: true,
        test: Test::Value(|seen, own| !seen.is(own)),
    },
    Operator {
        name: "contains",
        fits: &[Birth, Date, Text, Unknown],
        holds_for_null: false,
        test: Test::Text(|seen, text| seen.any_text(|own| own.contains(text))),
    },
    Operator {
        name: "in",
        fits: &[BirthDate, Birth, Date, Text, Unknown],
        holds_for_null: false,
        test: Test::List(|seen, list| list.iter().any(|own| seen.is(own))),
    },
    Operator {
        name: "not_in",
        fits: &[BirthDate, Birth, Date, Text, Unknown],
        holds_for_null: true,
        test: Test::List(|seen, list| !list.iter().any(|own| seen.is(own))),
    },
    Operator {
        name: "greater_than",
        fits: &[BirthDate, Birth, Date, Unknown],
        holds_for_null: false,
        test: Test::Bound(|seen, bound| seen.stands_to(bound).is_some_and(Ordering::is_gt)),
    },
    Operator {
        name: "less_than",
        fits: &[BirthDate, Birth, Date, Unknown],
        holds_for_null: false,
        test: Test::Bound(|seen, bound| seen.stands_to(bound).is_some_and(Ordering::is_lt)),
    },
    Operator {
        name: "between",
        fits: &[BirthDate, Birth, Date, Unknown],
        holds_for_null: false,
        test: Test::Range(|seen, low, high| {
            seen.stands_to(low).is_some_and(Ordering::is_ge)
                && seen.stands_to(high).is_some_and(Ordering::is_le)
        }),
    },
    Operator {
        name: "is_true",
        fits: &[Birth, Boolean, Unknown],
        holds_for_null: false,
        test: Test::Nothing(|seen| seen.truth() == Some(true)),
    },
    Operator {
        name: "is_false",
        fits: &[Birth, Boolean, Unknown],
        holds_for_null: true,
        test: Test::Nothing(|seen| seen.truth() == Some(false)),
    },
];

fn equals(seen: &Seen<'_>, own: &Scalar) -> bool {
    seen.is(own)
}

impl Operator {
    /// The operator of a name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        OPERATORS.iter().find(|operator| operator.name == name)
    }

    /// Whether it can ever match on a field of this type.
    pub(super) fn fits(&self, field_type: FieldType) -> bool {
        self.fits.contains(&field_type)
    }
}

/// The names of all operators, for help and errors.
pub fn operator_names() -> Vec<&'static str> {
    OPERATORS.iter().map(|operator| operator.name).collect()
}

/// The same as a choice: `a, b or c`.
pub(super) fn operator_choice() -> String {
    match operator_names().split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => operator_names().join(", "),
    }
}
