//! What was refused: what is noticed about it, and whom it is told to.

pub(crate) mod audit;
pub(crate) mod clue;
pub(crate) mod declined;
pub(crate) mod record;

mod log_rate_limit;
