//! Who asks for an operation.

use store::AuditVia;
use uuid::Uuid;

/// An operator, and the one request of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// `user@host`, or a login.
    pub by: String,
    /// In which role.
    pub role: String,
    /// By which program.
    pub via: AuditVia,
    /// The same for every try to ask for the same: a double click makes one operation.
    pub request_id: Uuid,
}
