//! Places in a listing: where a page ends, and the next one begins.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Where a row stands in a listing that has the newest first. A page is what comes after a place, so pages stay as they are
/// while rows are added, and cost the same however far back they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The row's time, by which the listing is ordered.
    pub at: DateTime<Utc>,
    /// The row's id, which orders rows of one time.
    pub id: Uuid,
}
