//! When campuses are reconciled, and how many at once.

pub(crate) mod concurrency;
pub(crate) mod daemon;
pub(crate) mod due;
pub(crate) mod timetable;
