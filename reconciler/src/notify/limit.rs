//! How much people are told.

/// Messages that a channel gets in an hour; what comes after waits, and is told together (rule notifications-2).
pub(super) const MOST_AN_HOUR: usize = 12;
