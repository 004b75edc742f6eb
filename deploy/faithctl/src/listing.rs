//! The end of every command that lists.

use serde::Serialize;

use crate::{
    failure::say,
    output::{self, Column},
};

/// Writes a listing, and where it is empty the words for that: an empty list is an answer, not a failure (interface §1).
pub(crate) fn write<T: Serialize>(
    nothing: &str,
    rows: &[T],
    columns: &[Column<T>],
    json: bool,
) -> anyhow::Result<()> {
    output::listing(rows, columns, json)?;
    if rows.is_empty() && !json {
        say(nothing);
    }
    Ok(())
}
