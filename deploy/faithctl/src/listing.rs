//! What every command that lists has in common: pages, and how a list ends.

use anyhow::Context;
use clap::Args;
use database::DatabaseError;
use serde::Serialize;
use store::records::Place;
use uuid::Uuid;

use crate::{
    failure::say,
    output::{self, Column, Format},
};

/// Which page of a listing is shown.
#[derive(Debug, Clone, Args)]
pub(crate) struct Page {
    /// Only what comes after this row, the last of the page before: its id
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<Uuid>,
}

impl Page {
    /// The place that it begins after; `what` the rows are, and `find` answers the place of one.
    pub(crate) async fn place(
        &self,
        what: &str,
        find: impl AsyncFnOnce(Uuid) -> Result<Option<Place>, DatabaseError>,
    ) -> anyhow::Result<Option<Place>> {
        let Some(id) = self.after else { return Ok(None) };
        let place = find(id).await?;
        let place = place.with_context(|| {
            format!("--after: there is no {what} {id}; without it the list begins anew")
        })?;
        Ok(Some(place))
    }
}

/// Writes a listing, and where it is empty the words for that: an empty list is an answer, not a failure (interface §1).
pub(crate) fn write<T: Serialize>(
    nothing: &str,
    rows: &[T],
    columns: &[Column<T>],
    format: Format,
) -> anyhow::Result<()> {
    output::listing(rows, columns, format)?;
    if rows.is_empty() && !format.is_json() {
        say(nothing);
    }
    Ok(())
}

/// Writes the first `limit` rows, and says how to go on where there are more of them: so one more is read than is shown.
pub(crate) fn write_page<T: Serialize>(
    nothing: &str,
    mut rows: Vec<T>,
    limit: u32,
    id: fn(&T) -> Uuid,
    columns: &[Column<T>],
    format: Format,
) -> anyhow::Result<()> {
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > shown;
    rows.truncate(shown);
    write(nothing, &rows, columns, format)?;
    if let Some(last) = rows.last().filter(|_| more) {
        say(&format!("only the last {shown} are shown; the next ones: --after {}", id(last)));
    }
    Ok(())
}
