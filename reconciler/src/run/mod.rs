//! One run of one campus.

pub(crate) mod campus;
pub(crate) mod gaps;
pub(crate) mod lock;
pub(crate) mod locked;
pub(crate) mod reconcile;
