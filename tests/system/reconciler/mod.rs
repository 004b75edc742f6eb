//! The reconciler through the front door.

mod brake;
mod drift;
mod housekeeping;
mod lists;
mod night;
