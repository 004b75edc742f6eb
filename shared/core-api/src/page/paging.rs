//! What a page says of the pages after it.

use serde_json::Value;

/// What a page says of the pages after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// A bare array says nothing.
    Bare,
    /// `{"data":[…],"pagination":{…}}`.
    Counted {
        /// Whether more rows follow.
        has_more: bool,
        /// How many there are in all, where it says so.
        total: Option<u64>,
    },
}

impl Paging {
    /// What a `pagination` object says. None where it does not say whether more rows follow.
    pub(super) fn counted(pagination: &Value) -> Option<Self> {
        let has_more = pagination.get("has_more")?.as_bool()?;
        Some(Self::Counted { has_more, total: pagination.get("total").and_then(Value::as_u64) })
    }
}
