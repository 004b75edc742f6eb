//! An event on its way: consume → admit → process → settle.

pub(crate) mod admit;
pub(crate) mod consume;
pub(crate) mod job;
pub(crate) mod settle;

mod absence;
mod drain;
mod event_log;
mod namesakes;
mod process;
