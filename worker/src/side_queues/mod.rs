//! The queues beside the work queue.

pub(crate) mod dead_letters;
pub(crate) mod rejections;
pub(crate) mod unrouted;

mod consumer;
mod dead_letter;
