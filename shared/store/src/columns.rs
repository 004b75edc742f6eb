//! The synced columns of a row of `members`, and the SQL that names them: all of it from the list of
//! [`SYNCED_COLUMNS`].

use chrono::NaiveDate;
use database::{Row, types::ToSql};
use member::{ColumnType, ColumnValue, Field, Profile, SYNCED_COLUMNS, SyncedColumn};

/// The synced columns of a row in `members`, and its archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    /// In the order of [`SYNCED_COLUMNS`].
    pub(crate) values: [Option<ColumnValue>; SYNCED_COLUMNS.len()],
    pub(crate) is_archived: bool,
    /// Whether it says since when; the date itself is the database's.
    pub(crate) has_archive_date: bool,
    pub(crate) archived_reason: Option<String>,
}

impl Columns {
    /// The columns of a row that was read with [`column_list`].
    pub(crate) fn of(row: &Row) -> Self {
        Self {
            values: std::array::from_fn(|place| read_column(row, &SYNCED_COLUMNS[place])),
            is_archived: row.get("is_archived"),
            has_archive_date: row.get("has_archive_date"),
            archived_reason: row.get("archived_reason"),
        }
    }

    /// Takes over what the core says; what it does not mention stays.
    pub(crate) fn take(&mut self, profile: &Profile) {
        for (value, column) in self.values.iter_mut().zip(&SYNCED_COLUMNS) {
            match column.of(profile) {
                Field::Absent => {}
                Field::Null => *value = None,
                Field::Value(new) => *value = Some(new.to_owned()),
            }
        }
    }

    /// The member's name.
    pub(crate) fn name(&self) -> Option<&str> {
        self.text("name")
    }

    /// The value of a column of texts.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let place = SYNCED_COLUMNS.iter().position(|column| column.name == name)?;
        match &self.values[place] {
            Some(ColumnValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The compared columns that differ.
    pub(crate) fn differing(&self, other: &Self) -> Vec<&'static str> {
        let values = self.values.iter().zip(&other.values).zip(&SYNCED_COLUMNS);
        values
            .filter(|((this, other), column)| column.is_compared() && this != other)
            .map(|(_, column)| column.name)
            .collect()
    }
}

/// A synced column of a row that has it under its name.
pub fn read_column(row: &Row, column: &SyncedColumn) -> Option<ColumnValue> {
    match column.column_type {
        ColumnType::Text => row.get::<_, Option<String>>(column.name).map(ColumnValue::Text),
        ColumnType::Date => row.get::<_, Option<NaiveDate>>(column.name).map(ColumnValue::Date),
        ColumnType::Integer => row.get::<_, Option<i32>>(column.name).map(ColumnValue::Integer),
    }
}

/// What each synced column is in a piece of SQL, with commas between.
pub(crate) fn each_column(sql: impl Fn(&SyncedColumn) -> String) -> String {
    SYNCED_COLUMNS.iter().map(sql).collect::<Vec<_>>().join(", ")
}

/// The names of the synced columns.
pub(crate) fn column_list() -> String {
    each_column(|column| column.name.to_owned())
}

/// The parameters of a statement that takes an array for each synced column, the first being `$first`.
pub(crate) fn column_parameters(first: usize) -> String {
    let parameter = |(place, column): (usize, &SyncedColumn)| {
        format!("${}::{}[]", first + place, column.column_type.sql())
    };
    SYNCED_COLUMNS.iter().enumerate().map(parameter).collect::<Vec<_>>().join(", ")
}

/// The values of one column, of many rows.
pub(crate) enum ColumnArray<'a> {
    Text(Vec<Option<&'a str>>),
    Date(Vec<Option<NaiveDate>>),
    Integer(Vec<Option<i32>>),
}

impl<'a> ColumnArray<'a> {
    /// An array for each synced column, in their order.
    pub(crate) fn each(rows: &[&'a Columns]) -> Vec<Self> {
        (0..SYNCED_COLUMNS.len()).map(|place| Self::of(place, rows)).collect()
    }

    fn of(place: usize, rows: &[&'a Columns]) -> Self {
        let values = rows.iter().map(|row| row.values[place].as_ref());
        match SYNCED_COLUMNS[place].column_type {
            ColumnType::Text => Self::Text(
                values
                    .map(|value| match value {
                        Some(ColumnValue::Text(text)) => Some(text.as_str()),
                        _ => None,
                    })
                    .collect(),
            ),
            ColumnType::Date => Self::Date(
                values
                    .map(|value| match value {
                        Some(ColumnValue::Date(date)) => Some(*date),
                        _ => None,
                    })
                    .collect(),
            ),
            ColumnType::Integer => Self::Integer(
                values
                    .map(|value| match value {
                        Some(ColumnValue::Integer(number)) => Some(*number),
                        _ => None,
                    })
                    .collect(),
            ),
        }
    }

    /// The parameter of a statement.
    pub(crate) fn parameter(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Text(texts) => texts,
            Self::Date(dates) => dates,
            Self::Integer(numbers) => numbers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_and_typed_in_the_order_of_the_names() {
        assert_eq!(column_list(), "name, phone, gender, birth_date, age, photo_url, category");
        assert_eq!(
            column_parameters(3),
            "$3::text[], $4::text[], $5::text[], $6::date[], $7::integer[], $8::text[], $9::text[]"
        );
    }
}
