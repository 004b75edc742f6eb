//! An event from the work queue to its end, in the order of the data: `consume` takes deliveries from the `consumer`,
//! `intake` makes jobs of them, `admit` groups and asks Postgres, `process` gives each its outcome, `sync` brings the
//! member up to date, `settle` acks. `drain` leaves nothing behind.

pub(crate) mod admit;
pub(crate) mod consume;
pub(crate) mod job;
pub(crate) mod settle;

mod absence;
mod consumer;
mod drain;
mod event_log;
mod group;
mod intake;
mod member_queues;
mod member_request;
mod namesakes;
mod outcome;
mod process;
mod prompt_delete;
mod sync;
