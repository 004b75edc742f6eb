//! What the core's fields hold, as far as we know them: a rule that can never match, such as a name greater
//! than 5, would archive everybody, and is better refused when it is saved.

use super::operator::Operator;

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// The birth date, which rules compare by age in years, or as the date that it is.
    BirthDate,
    /// Something else about birth: compared by age where it is a date, and a place perhaps.
    Birth,
    /// True or false.
    Boolean,
    /// A date or date-time.
    Date,
    /// Words.
    Text,
    /// We do not know: a field of a newer core, or one that may hold several things.
    Unknown,
}

impl Kind {
    pub(super) fn of(field: &str) -> Self {
        match field {
            "date_of_birth" => Self::BirthDate,
            _ if is_birth(field) => Self::Birth,
            "is_active" | "is_deleted" | "participate_in_automation" => Self::Boolean,
            "membership_date" | "baptism_date" | "created_at" | "updated_at" | "deleted_at" => {
                Self::Date
            }
            "full_name" | "name" | "first_name" | "last_name" | "email" | "phone"
            | "phone_whatsapp" | "gender" | "marital_status" | "member_status" | "photo_url" => {
                Self::Text
            }
            _ => Self::Unknown,
        }
    }

    /// Whether an operator can ever match on such a field.
    pub(super) fn takes(self, operator: Operator) -> bool {
        use Operator::{Contains, Equals, In, IsFalse, IsTrue, NotEquals, NotIn};
        match self {
            Self::BirthDate => !matches!(operator, Contains | IsTrue | IsFalse),
            Self::Boolean => matches!(operator, Equals | NotEquals | IsTrue | IsFalse),
            Self::Date => !matches!(operator, IsTrue | IsFalse),
            Self::Text => matches!(operator, Equals | NotEquals | Contains | In | NotIn),
            Self::Birth | Self::Unknown => true,
        }
    }

    /// Whether it is compared by age.
    pub(super) fn is_birth(self) -> bool {
        matches!(self, Self::BirthDate | Self::Birth)
    }

    pub(super) fn holds(self) -> &'static str {
        match self {
            Self::BirthDate => "a birth date, compared by age in years",
            Self::Birth => "something about birth",
            Self::Boolean => "true or false",
            Self::Date => "a date",
            Self::Text => "text",
            Self::Unknown => "what we do not know",
        }
    }
}

/// FaithTracker's own rule: whatever is called birth is compared by age.
fn is_birth(field: &str) -> bool {
    field.to_lowercase().contains("birth")
}
