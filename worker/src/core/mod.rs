//! The campuses' cores: `cores` has them all, `campus_core` asks one. Its `bulkhead` bounds what is under way (`limits`)
//! and what waits (`wait_queue`, `pace`), and its `breaker` leaves it alone while it fails (`failure`, `known_members`).

pub(crate) mod bulkhead;
pub(crate) mod cores;
pub(crate) mod limits;

mod breaker;
mod campus_core;
mod failure;
mod known_members;
mod metrics;
mod pace;
mod wait_queue;
