//! Read models: what is shown of campuses, members, deliveries and their attempts, dead letters, operations, runs and the audit. Each is read and told here, and
//! nowhere else; who shows one only lays it out.

mod attempt;
mod audit;
mod campus;
mod conditions;
mod dead_letter;
mod delivery;
mod delivery_list;
mod found;
mod log_spans;
mod member;
mod operation;
mod place;
mod run;

pub use attempt::AttemptRecord;
pub use audit::{AuditFilter, AuditRecord};
pub use campus::{CampusRecord, DeliveryCounts, Interval};
pub use dead_letter::{DeadLetterFilter, DeadLetterGroup, DeadLetterRecord};
pub use delivery::DeliveryRecord;
pub use delivery_list::DeliveryFilter;
pub use found::{Found, FoundDelivery, FoundLetter, FoundRun, SearchSpan, campus_names, search};
pub use member::MemberRecord;
pub use operation::{OperationFilter, OperationRecord};
pub use place::Place;
pub use run::{RunChange, RunRecord};

/// Declares a record: its fields, each with the SQL that it is read from. Its JSON has a key for each field, by
/// the field's name.
macro_rules! record {
    (
        $(#[$doc:meta])*
        $name:ident { $first:ident: $first_type:ty = $first_sql:literal, $($field:ident: $type:ty = $sql:literal,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, serde::Serialize)]
        pub struct $name {
            #[doc = concat!("`", $first_sql, "`")]
            pub $first: $first_type,
            $(#[doc = concat!("`", $sql, "`")] pub $field: $type,)*
        }

        impl $name {
            /// What a statement selects.
            pub(super) const COLUMNS: &'static str =
                concat!($first_sql, " AS ", stringify!($first) $(, ", ", $sql, " AS ", stringify!($field))*);

            pub(super) fn from_row(row: &database::Row) -> Self {
                Self {
                    $first: row.get(stringify!($first)),
                    $($field: row.get(stringify!($field)),)*
                }
            }
        }
    };
}
use record;
