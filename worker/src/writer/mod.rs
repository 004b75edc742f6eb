//! The session with Postgres: it draws the numbers of reads, and commits what was read under them.

pub(crate) mod commit;
pub(crate) mod session;

mod committer;
mod group_commit;
