//! What operators ask for, carried out: dead letters replayed, discarded or restored, members fetched anew (rule worker-21).

pub(crate) mod executor;

mod batch;
mod execution;
mod hands;
mod letters;
mod replay;
mod resync;
