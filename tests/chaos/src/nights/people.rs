//! Who is here, as it can be looked at.

use std::collections::{BTreeMap, HashMap};

use harness::TestSystem;
use member::{ArchiveReason, Person};

/// A row of `members`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The core's id.
    pub(super) member: Option<String>,
    pub(super) name: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) is_archived: bool,
    pub(super) reason: Option<String>,
    archived_at: Option<String>,
}

/// Every row, by its own id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Here(pub(super) BTreeMap<String, Row>);

impl Row {
    /// Whether a person archived it.
    pub(super) fn is_archived_by_person(&self) -> bool {
        let is_ours = |reason: &ArchiveReason| self.reason.as_deref() == Some(reason.as_str());
        self.is_archived && !ArchiveReason::ALL.iter().any(is_ours)
    }

    /// What of it is a person's where a person archived it.
    pub(super) fn archive(&self) -> (bool, &Option<String>, &Option<String>) {
        (self.is_archived, &self.reason, &self.archived_at)
    }

    pub(super) fn person(&self) -> Option<Person> {
        Person::of(self.name.as_deref(), self.phone.as_deref(), "ID".parse().ok()?)
    }
}

impl Here {
    pub(super) async fn look(system: &TestSystem) -> anyhow::Result<Self> {
        let query =
            "SELECT id::text, external_member_id, name, phone, is_archived, archived_reason,
                            archived_at::text FROM members";
        let rows = system.database.client().query(query, &[]).await?;
        let row = |row: &tokio_postgres::Row| {
            let here = Row {
                member: row.get(1),
                name: row.get(2),
                phone: row.get(3),
                is_archived: row.get(4),
                reason: row.get(5),
                archived_at: row.get(6),
            };
            (row.get(0), here)
        };
        Ok(Self(rows.iter().map(row).collect()))
    }

    pub(super) fn by_member(&self) -> HashMap<&str, (&str, &Row)> {
        let rows = self.0.iter();
        rows.filter_map(|(id, row)| Some((row.member.as_deref()?, (id.as_str(), row)))).collect()
    }
}
