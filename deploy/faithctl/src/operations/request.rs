//! Asking for an operation: what every command that does has.

use ::operations::Requester;
use clap::Args;
use uuid::Uuid;

/// The role of whoever has the database's admin role.
const ROLE: &str = "admin";

/// What every command that asks for an operation takes.
#[derive(Debug, Args)]
pub(crate) struct Request {
    /// Ask for it and do not watch it: `faithctl operations show` says how it stands
    #[arg(long)]
    pub(crate) detach: bool,
    /// The same for every try of a script: it is asked for once, however often the command runs
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
}

/// Who asks, once.
pub(crate) fn requester(request: &Request) -> Requester {
    Requester {
        by: runtime::operator(),
        role: ROLE.to_owned(),
        request_id: request.request_id.unwrap_or_else(Uuid::new_v4),
    }
}
