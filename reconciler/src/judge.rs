//! What a page's rows are worth: those of the campus's church are judged, all others are counted.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use core_api::Keys;
use member::{CoreMember, Filter, Locale};
use sha2::{Digest, Sha256};

use crate::{
    campus::Campus,
    row::{ListRow, speaks_of},
};

/// What every page of a run is judged by.
#[derive(Debug)]
pub(crate) struct Judge {
    church: String,
    filter: Filter,
    locale: Locale,
    keys: Keys,
}

/// The rows of a page.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Of the campus's church, ready to be staged.
    pub(crate) rows: Vec<ListRow>,
    /// How many came in all.
    pub(crate) came: u64,
    /// Rows of other churches.
    pub(crate) foreign: u64,
    /// Rows whose id cannot be one.
    pub(crate) unusable: u64,
    /// The filter's fields that some row has a value in.
    pub(crate) spoken: BTreeSet<String>,
    /// Of the ids of all that came, in their order.
    pub(crate) fingerprint: [u8; 32],
}

impl Judge {
    /// For the campus as it is configured, at `now`.
    pub(crate) fn of(campus: &Campus, now: DateTime<Utc>) -> Self {
        let filter = campus.config.filter.clone();
        let keys = member::KEYS.into_iter().chain(["updated_at"]).chain(filter.fields());
        Self {
            church: campus.config.core_church_id.clone(),
            locale: campus.config.locale(now),
            keys: Keys::Only(keys.map(str::to_owned).collect()),
            filter,
        }
    }

    /// What it wants to see of a row.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Judges the rows of a page. Each is dropped before the next: they may be heavy with photos.
    pub(crate) fn judge(&self, rows: Vec<CoreMember>) -> Judged {
        let mut judged = Judged {
            rows: Vec::with_capacity(rows.len()),
            came: rows.len() as u64,
            foreign: 0,
            unusable: 0,
            spoken: BTreeSet::new(),
            fingerprint: [0; 32],
        };
        let mut fingerprint = Sha256::new();
        for row in rows {
            fingerprint.update(row.id().unwrap_or_default());
            fingerprint.update([0]);
            if row.church_id() != Some(&self.church) {
                judged.foreign += 1;
                continue;
            }
            for field in self.filter.fields() {
                if !judged.spoken.contains(field) && speaks_of(&row, field) {
                    judged.spoken.insert(field.to_owned());
                }
            }
            match ListRow::read(&row, &self.filter, self.locale) {
                Some(row) => judged.rows.push(row),
                None => judged.unusable += 1,
            }
        }
        judged.fingerprint = fingerprint.finalize().into();
        judged
    }
}
