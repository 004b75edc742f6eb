//! The session with Postgres that draws numbers and commits what was read under them.

pub(crate) mod commit;
pub(crate) mod session;

mod committer;
