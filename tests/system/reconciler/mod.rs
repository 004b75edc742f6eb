//! The reconciler through the front door.

mod archive_limit;
mod drift;
mod filters;
mod gaps;
mod housekeeping;
mod interrupted;
mod linking;
mod lists;
mod night;
mod notifications;
mod photos;
mod random;
mod retention;
mod schedule;
mod side_by_side;
mod unreadable;
mod values;
