//! What the core's fields hold, as far as it is known. A rule that can never match, such as a name greater
//! than 5, would archive everybody; it is refused when it is saved (rule member-5).

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FieldType {
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
    /// It is not known: a field of a newer core, or one that may hold several things.
    Unknown,
}

impl FieldType {
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
            Self::Unknown => "what is not known",
        }
    }
}

/// FaithTracker's own convention: whatever is called birth is compared by age.
fn is_birth(field: &str) -> bool {
    field.to_lowercase().contains("birth")
}
