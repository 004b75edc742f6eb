//! The campuses' cores: asked while they answer, and left alone while they do not.

pub(crate) mod bulkhead;
pub(crate) mod cores;
pub(crate) mod limits;

mod breaker;
mod known_members;
mod metrics;
mod pace;
mod trouble;
mod wait_queue;
