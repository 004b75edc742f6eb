//! What is written for the members that differ.

pub(crate) mod apply;
pub(crate) mod archive;
pub(crate) mod canary;
pub(crate) mod fetch;
pub(crate) mod linking;
pub(crate) mod pending_archives;
pub(crate) mod write;
