//! Whose fault a failed statement is (rule database-1). The one place that reads SQLSTATEs.

use tokio_postgres::error::SqlState;

use crate::statement_error::Error;

/// What a failed statement says about who is to blame, and so what may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A value that Postgres will never take: the row alone fails, its neighbours are tried again.
    Row,
    /// A lock was not to be had in time: the row waits, its neighbours go on.
    Locked,
    /// A deadlock or serialisation failure: the same again may well succeed.
    Repeat,
    /// A statement was refused for a reason that may be a row's own (a trigger raised an exception) or
    /// everybody's (a right is missing): its neighbours tell which.
    Unclear,
    /// The session or the server: nothing can be said about any row. Hold and reconnect.
    Session,
}

/// Classes that speak of the session or the server, whatever the statement: 08 connection, 0A what the
/// server cannot do (a plan that is no longer good), 25 transaction state, read-only among it, 26 unknown
/// statement name, 28 authorisation, 3D database, 40 an unknown end, 53 resources, 57 operator intervention,
/// 58 system, F0 configuration file, XX internal error.
const OF_THE_SESSION: [&str; 12] =
    ["08", "0A", "25", "26", "28", "3D", "40", "53", "57", "58", "F0", "XX"];

/// Sorts a statement's error.
pub fn fault(error: &Error) -> Fault {
    let Some(state) = error.code() else { return Fault::Session };
    if *state == SqlState::LOCK_NOT_AVAILABLE {
        return Fault::Locked;
    }
    if *state == SqlState::T_R_DEADLOCK_DETECTED || *state == SqlState::T_R_SERIALIZATION_FAILURE {
        return Fault::Repeat;
    }
    match state.code() {
        // 22: data exceptions; 23: constraint violations; 54000: program limit exceeded.
        code if code.starts_with("22") || code.starts_with("23") || code == "54000" => Fault::Row,
        code if OF_THE_SESSION.iter().any(|class| code.starts_with(class)) => Fault::Session,
        _ => Fault::Unclear,
    }
}
