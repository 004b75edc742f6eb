//! The queues beside the work queue: dead letters into Postgres (`dead_letters`), unrouted events back on their way
//! (`unrouted`), refused deliveries into the log (`rejections`).

pub(crate) mod dead_letters;
pub(crate) mod serve;
pub(crate) mod unrouted;

mod consumer;
mod dead_letter;
mod rejections;
