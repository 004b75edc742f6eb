#![doc = include_str!("../README.md")]

mod admission;
mod archive_limit;
pub mod attempts;
pub mod audit;
mod campus_config;
mod campus_lock;
mod campus_reference;
mod claim;
mod columns;
mod commit;
pub mod dead_letters;
mod decide;
mod delivery_log;
mod effect;
mod known;
mod link;
mod locked;
mod log_rows;
mod lost_deliveries;
mod members;
mod migrations;
pub mod notifications;
pub mod operations;
pub mod operators;
mod partitions;
mod photos;
mod planning;
mod preview;
pub mod problems;
mod reconcile;
pub mod records;
pub mod rejections;
mod session;
mod status;
mod sync_changes;
mod tokens;
mod write;
mod write_plan;

pub use admission::{Admission, DeliveryState};
pub use archive_limit::{archives_left, most_archive_changes};
pub use campus_config::{CampusConfig, ConfigError};
pub use campus_reference::{CampusReference, CampusReferenceError};
pub use columns::read_column;
pub use commit::{Commit, LockPolicy, Outcome};
pub use decide::{ArchiveChange, Finding};
pub use delivery_log::{AttemptNote, Entry, LogLine};
pub use effect::Effect;
pub use known::known_member;
pub use link::{LinkEvidence, LinkPolicy, Linked};
pub use lost_deliveries::LostDeliveries;
pub use migrations::{MigrationError, SchemaState, migrate, schema_state};
pub use partitions::{drop_log_partitions, make_log_partitions, waiting_log_partitions};
pub use reconcile::{ArchiveLimit, Reconciliation, WriteScope};
pub use session::{Happened, Reads, Session, SyncWriter};
pub use status::{
    AttemptKind, AuditResult, AuditVia, DeadLetterStatus, DeliveryStatus, OperationKind,
    OperationState, OperatorRole, RunStatus,
};
pub use sync_changes::{ArchivedToday, ChangeKind, SyncChange, archived_today, record_changes};
pub use tokens::{PostgresTokens, TokenError};

use chrono::{DateTime, Utc};
use member::Verdict;
use uuid::Uuid;

/// What is to be committed for one member: a finding, the interval of its read, and the deliveries
/// that it answers.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The campus.
    pub campus: Uuid,
    /// The core's id of the member.
    pub member: String,
    /// Drawn before the read of the core began.
    pub seen_from: i64,
    /// The number first drawn for these deliveries; a read that began later covers them.
    pub first_drawn: i64,
    /// The configuration that the read was made under, by its `synced_version`.
    pub config_version: i64,
    /// What the read found.
    pub finding: Finding,
    /// Whether it may take over the row of somebody who is here already, where it was never seen.
    pub link: LinkPolicy,
    /// The latest of its deliveries by the sender's clock, of those that said so.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The latest of its deliveries by the gateway's clock; none for the reconciler.
    pub received_at: Option<DateTime<Utc>>,
    /// The deliveries that wait for it; none for the reconciler.
    pub entries: Vec<Entry>,
}

impl From<Verdict> for Finding {
    fn from(verdict: Verdict) -> Self {
        Self::Read(Box::new(verdict))
    }
}
