//! What a page's rows are worth: those of the campus's church are judged, all others are counted.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use core_api::{Course, Keys, Rows};
use member::{Column, CoreMember, Filter, Locale};

use crate::{
    list::{copy::Staging, coverage::Telling, row::ListRow, samples::Specimens},
    run::campus::Campus,
};

/// What every page of a run is judged by.
#[derive(Debug)]
pub(crate) struct Judge {
    church: String,
    filter: Filter,
    locale: Locale,
    keys: Keys,
    /// None: in which order they are kept.
    specimens: Specimens,
}

/// How many values could not be read, by [`Column`].
pub(crate) type Unreadable = [u64; Column::ALL.len()];

/// A page whose rows are being judged, each where it was read.
pub(crate) struct Judging {
    judge: Arc<Judge>,
    staging: Staging,
    foreign: u64,
    unusable: Vec<u64>,
    unreadable: Unreadable,
    telling: Telling,
    specimens: Specimens,
    keys: Vec<u64>,
}

/// The rows of a page.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Of the campus's church, ready to be staged.
    pub(crate) staging: Staging,
    /// Rows of other churches.
    pub(crate) foreign: u64,
    /// Rows whose id cannot be one, by how many are before each.
    pub(crate) unusable: Vec<u64>,
    /// Values that cannot be read.
    pub(crate) unreadable: Unreadable,
    /// What the rows tell.
    pub(crate) telling: Telling,
    /// Some of the rows.
    pub(crate) specimens: Specimens,
    /// Of the ids of all that came, whosever they are.
    pub(crate) keys: Vec<u64>,
}

impl Judge {
    /// For the campus as it is configured, at `now`.
    pub(crate) fn of(campus: &Campus, now: DateTime<Utc>) -> Self {
        let filter = campus.config.filter.clone();
        let keys = member::KEYS.into_iter().chain(["updated_at"]).chain(filter.fields());
        Self {
            church: campus.config.core_church_id.clone(),
            locale: campus.config.locale(now),
            keys: Keys::only(keys),
            filter,
            specimens: Specimens::new(),
        }
    }

    /// What is told before any row was read.
    pub(crate) fn telling(&self) -> Telling {
        Telling::of(&self.filter)
    }

    /// No specimens yet.
    pub(crate) fn specimens(&self) -> Specimens {
        self.specimens.begin()
    }

    /// Begins a page whose read has that number.
    pub(crate) fn begin(self: &Arc<Self>, seen_from: i64) -> Judging {
        Judging {
            judge: Arc::clone(self),
            staging: Staging::new(seen_from),
            foreign: 0,
            unusable: Vec::new(),
            unreadable: Unreadable::default(),
            telling: self.telling(),
            specimens: self.specimens(),
            keys: Vec::new(),
        }
    }
}

impl Rows for Judging {
    fn keys(&self) -> &Keys {
        &self.judge.keys
    }

    fn take(&mut self, row: &CoreMember) {
        let judge = &self.judge;
        let before = self.keys.len() as u64;
        self.keys.push(Course::key(row.id().unwrap_or_default()));
        if row.church_id() != Some(&judge.church) {
            self.foreign += 1;
            return;
        }
        self.telling.look(row, &judge.filter);
        self.specimens.offer(row, &judge.filter);
        match ListRow::read(row, &judge.filter, judge.locale) {
            Some(row) => {
                for column in &row.unreadable {
                    self.unreadable[*column as usize] += 1;
                }
                self.telling.look_at_columns(&row);
                self.staging.add(row);
            }
            None => self.unusable.push(before),
        }
    }
}

impl Judging {
    pub(crate) fn end(self) -> Judged {
        Judged {
            staging: self.staging,
            foreign: self.foreign,
            unusable: self.unusable,
            unreadable: self.unreadable,
            telling: self.telling,
            specimens: self.specimens,
            keys: self.keys,
        }
    }
}
