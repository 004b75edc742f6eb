//! The synced columns of `members`: one list of their names, types and presence bits. SQL, rows and the
//! reconciler's staging are made from it (rule member-8).

use std::{borrow::Cow, fmt};

use chrono::NaiveDate;

use crate::{Field, Profile};

/// What a column holds, as Postgres calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// `text`
    Text,
    /// `date`
    Date,
    /// `integer`
    Integer,
}

impl ColumnType {
    /// The name in SQL.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Date => "date",
            Self::Integer => "integer",
        }
    }
}

/// A value of a column.
#[derive(Clone, PartialEq, Eq)]
pub enum ColumnValue {
    /// Of [`ColumnType::Text`].
    Text(String),
    /// Of [`ColumnType::Date`].
    Date(NaiveDate),
    /// Of [`ColumnType::Integer`].
    Integer(i32),
}

/// The same, borrowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ColumnRef<'a> {
    /// Of [`ColumnType::Text`].
    Text(&'a str),
    /// Of [`ColumnType::Date`].
    Date(NaiveDate),
    /// Of [`ColumnType::Integer`].
    Integer(i32),
}

/// A column of `members` that is synced.
#[derive(Debug)]
pub struct SyncedColumn {
    /// In `members`, and wherever a row of it is staged or logged.
    pub name: &'static str,
    /// What it holds.
    pub column_type: ColumnType,
    /// The bit that says of a row of the core's list whether it has the column at all. 0 for one that follows
    /// from others and the calendar: it is written, and never compared.
    pub presence_bit: i32,
    get: for<'a> fn(&'a Profile) -> Field<ColumnRef<'a>>,
    set: fn(&mut Profile, Field<ColumnValue>),
}

/// Makes an entry of the list for a field of [`Profile`] that has the column's name.
macro_rules! column {
    ($field:ident: Text, $bit:literal) => {
        column!($field: Text, $bit, |text| ColumnRef::Text(text))
    };
    ($field:ident: $type:ident, $bit:literal) => {
        column!($field: $type, $bit, |value| ColumnRef::$type(*value))
    };
    ($field:ident: $type:ident, $bit:literal, $borrow:expr) => {
        SyncedColumn {
            name: stringify!($field),
            column_type: ColumnType::$type,
            presence_bit: $bit,
            get: |profile| profile.$field.as_ref().map($borrow),
            set: |profile, field| {
                profile.$field = field.and_then(|value| match value {
                    ColumnValue::$type(value) => Some(value),
                    _ => None,
                });
            },
        }
    };
}

/// Every synced column, in the order in which rows are hashed: a new one comes last, with the next bit.
pub static SYNCED_COLUMNS: [SyncedColumn; 7] = [
    column!(name: Text, 1),
    column!(phone: Text, 2),
    column!(gender: Text, 4),
    column!(birth_date: Date, 8),
    column!(age: Integer, 0),
    column!(photo_url: Text, 16),
    column!(category: Text, 32),
];

/// The presence bit of the photo, which is kept in a table of its own.
pub const PHOTO_BIT: i32 = 64;

impl SyncedColumn {
    /// The columns that the core's rows are compared by.
    pub fn compared() -> impl Iterator<Item = &'static Self> {
        SYNCED_COLUMNS.iter().filter(|column| column.is_compared())
    }

    /// The column of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SYNCED_COLUMNS.iter().find(|column| column.name == name)
    }

    /// Whether the core's rows are compared by it.
    pub fn is_compared(&self) -> bool {
        self.presence_bit != 0
    }

    /// What the core says of it.
    pub fn of<'a>(&self, profile: &'a Profile) -> Field<ColumnRef<'a>> {
        (self.get)(profile)
    }
}

impl Profile {
    /// A profile that says of every column what `read` says: null where that is none. Of the photo it says
    /// nothing.
    pub fn of_columns(read: impl Fn(&SyncedColumn) -> Option<ColumnValue>) -> Self {
        let mut profile = Self::default();
        for column in &SYNCED_COLUMNS {
            (column.set)(&mut profile, read(column).map_or(Field::Null, Field::Value));
        }
        profile
    }
}

impl<'a> ColumnRef<'a> {
    /// The value as text: dates as Postgres writes them.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Date(date) => Cow::Owned(date.to_string()),
            Self::Integer(number) => Cow::Owned(number.to_string()),
        }
    }

    /// The value itself.
    pub fn to_owned(self) -> ColumnValue {
        match self {
            Self::Text(text) => ColumnValue::Text(text.to_owned()),
            Self::Date(date) => ColumnValue::Date(date),
            Self::Integer(number) => ColumnValue::Integer(number),
        }
    }
}

impl ColumnValue {
    /// The value, borrowed.
    pub fn as_ref(&self) -> ColumnRef<'_> {
        match self {
            Self::Text(text) => ColumnRef::Text(text),
            Self::Date(date) => ColumnRef::Date(*date),
            Self::Integer(number) => ColumnRef::Integer(*number),
        }
    }
}

/// Never prints the value: every synced column is about a person.
impl fmt::Debug for ColumnValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(…)")
    }
}

/// The same.
impl fmt::Debug for ColumnRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn every_column_has_a_name_and_a_bit_of_its_own() {
        let mut bits = PHOTO_BIT;
        for (place, column) in SYNCED_COLUMNS.iter().enumerate() {
            assert_eq!(bits & column.presence_bit, 0, "{}", column.name);
            bits |= column.presence_bit;
            let first = SYNCED_COLUMNS.iter().position(|other| other.name == column.name);
            assert_eq!(first, Some(place), "{}", column.name);
            assert_eq!(SyncedColumn::named(column.name).unwrap().name, column.name);
        }
        assert!(SyncedColumn::named("notes").is_none());
        let compared: Vec<_> = SyncedColumn::compared().map(|column| column.name).collect();
        assert_eq!(compared, ["name", "phone", "gender", "birth_date", "photo_url", "category"]);
    }

    #[test]
    fn a_value_that_is_put_into_a_profile_is_the_one_that_comes_out() {
        let date = NaiveDate::from_ymd_opt(1990, 1, 15).unwrap();
        let value = |column: &SyncedColumn| match column.column_type {
            ColumnType::Text => ColumnValue::Text(column.name.to_owned()),
            ColumnType::Date => ColumnValue::Date(date),
            ColumnType::Integer => ColumnValue::Integer(36),
        };
        let full = Profile::of_columns(|column| Some(value(column)));
        let empty = Profile::of_columns(|_| None);
        for column in &SYNCED_COLUMNS {
            let read = column.of(&full).map(ColumnRef::to_owned);
            assert!(read == Field::Value(value(column)), "{}", column.name);
            assert_eq!(value(column).as_ref().to_owned(), value(column));
            assert_eq!(column.of(&empty), Field::Null);
            assert_eq!(column.of(&Profile::default()), Field::Absent);
            assert_eq!(format!("{:?} {:?}", value(column), value(column).as_ref()), "(…) (…)");
        }
        assert!(full.photo.is_absent() && full.photo_refusal.is_none());
        let texts = [ColumnRef::Text("a"), ColumnRef::Date(date), ColumnRef::Integer(36)];
        assert_eq!(texts.map(ColumnRef::text), ["a", "1990-01-15", "36"]);
        let names = [ColumnType::Text, ColumnType::Date, ColumnType::Integer].map(ColumnType::sql);
        assert_eq!(names, ["text", "date", "integer"]);
    }
}
