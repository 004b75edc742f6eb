//! One run of one campus.

pub(crate) mod campus;
pub(crate) mod context;
pub(crate) mod gaps;
pub(crate) mod lock;
pub(crate) mod locked;
pub(crate) mod reconcile;
pub(crate) mod request;
