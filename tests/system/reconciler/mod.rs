//! The reconciler through the front door.

mod housekeeping;
