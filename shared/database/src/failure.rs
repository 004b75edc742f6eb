//! Whose fault a failed statement is (CORRECTNESS §5). The one place that reads SQLSTATEs.

use tokio_postgres::error::SqlState;

use crate::Error;

/// What a failed statement says about who is to blame, and so what may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A value that Postgres will never take: the row alone fails, its neighbours are tried again.
    Row,
    /// A lock was not to be had in time: the row waits, its neighbours go on.
    Locked,
    /// A deadlock or serialisation failure: the same again may well succeed.
    Repeat,
    /// The session or the server: nothing can be said about any row. Hold and reconnect.
    Session,
}

/// Sorts a statement's error. What is not known is not the row's fault: a row that is blamed is
/// dead-lettered, and one that is not is only tried again.
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
        _ => Fault::Session,
    }
}
