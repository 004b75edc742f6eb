//! One webhook, from its head to the answer.

pub(crate) mod checks;
pub(crate) mod limiter;
pub(crate) mod payload;
pub(crate) mod receive;
pub(crate) mod refusal;
pub(crate) mod refused;
pub(crate) mod service;
pub(crate) mod signature;

mod fields;
mod reply;
mod span;
mod timestamp;
