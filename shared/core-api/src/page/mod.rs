//! Pages of the member list.

mod keys;
mod paging;
mod reader;
mod refill;
mod rows;

use std::time::Duration;

use serde::de::DeserializeSeed;
use serde_json::error::Category;

use crate::BadAnswer;
pub use keys::Keys;
pub use paging::Paging;
use reader::{Reader, Shape};
pub use rows::Rows;

/// A page of the member list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<R> {
    /// What became of its rows. At least one of them has an id, unless there are none.
    pub rows: R,
    /// How many there were.
    pub came: u64,
    /// What the core said of the rest.
    pub paging: Paging,
    /// How large the answer was, uncompressed.
    pub bytes: usize,
    /// How long it took until the answer began: what the core needed to make it.
    pub answered_in: Duration,
    /// How long it took until the whole answer was here.
    pub fetched_in: Duration,
    /// How long it took to read it, and for the rows to become what they are.
    pub parsed_in: Duration,
}

impl<R: Rows> Page<R> {
    /// Whether the list ends with this page. A bare list ends with an empty page, not with a short one: the
    /// core may give fewer rows than asked for.
    pub fn is_last(&self) -> bool {
        match self.paging {
            Paging::Bare => self.came == 0,
            Paging::Counted { has_more, .. } => !has_more,
        }
    }

    pub(crate) fn parse(body: &[u8], mut rows: R) -> Result<Self, BadAnswer> {
        let mut reader = Reader::of(&mut rows);
        let mut json = serde_json::Deserializer::from_slice(body);
        let paging = Shape(&mut reader)
            .deserialize(&mut json)
            .and_then(|paging| json.end().map(|()| paging))
            .map_err(|error| match error.classify() {
                Category::Data => BadAnswer::UnknownShape,
                // serde's own message may quote the text; where it went wrong is enough.
                _ => BadAnswer::NotJson { line: error.line(), column: error.column() },
            })?;
        let Reader { came, without_id, .. } = reader;
        // One row without an id spoils that row; all of them are rows of something else.
        if came > 0 && without_id == came {
            return Err(BadAnswer::NoId);
        }
        // Whoever follows such a page asks for ever.
        if came == 0 && matches!(paging, Paging::Counted { has_more: true, .. }) {
            return Err(BadAnswer::EmptyPage);
        }
        let none = Duration::ZERO;
        let (answered_in, fetched_in, parsed_in) = (none, none, none);
        Ok(Self { rows, came, paging, bytes: body.len(), answered_in, fetched_in, parsed_in })
    }
}

#[cfg(test)]
mod tests;
