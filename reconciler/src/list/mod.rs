//! The core's member list, from its pages to the staging table.

pub(crate) mod classify;
pub(crate) mod copy;
pub(crate) mod coverage;
pub(crate) mod pages;
pub(crate) mod read;
pub(crate) mod row;
pub(crate) mod samples;
pub(crate) mod staging;
