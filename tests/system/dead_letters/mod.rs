//! Dead letters, from the queue that they die into to their resolution, by the
//! commands of an operator.

mod choice;
mod collector;
mod discard;
mod interrupted;
mod listing;
pub(crate) mod mailbox;
mod outcomes;
mod together;
