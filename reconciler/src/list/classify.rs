//! The rows of a page: those of the campus's church become rows to be staged, all others are counted.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use core_api::{Course, Keys, Rows};
use member::{Column, CoreMember, Filter, Locale};

use crate::{
    list::{copy::StagedPage, coverage::FieldCoverage, row::ListRow, samples::RowSamples},
    run::campus::Campus,
};

/// What the pages of a run are classified by.
#[derive(Debug)]
pub(crate) struct PageClassifier {
    church: String,
    filter: Filter,
    locale: Locale,
    keys: Keys,
    /// None: in which order they are kept.
    samples: RowSamples,
}

/// How many values could not be read, by [`Column`].
pub(crate) type Unreadable = [u64; Column::ALL.len()];

/// A page whose rows are being classified, each where it was read.
pub(crate) struct PageInProgress {
    classifier: Arc<PageClassifier>,
    staging: StagedPage,
    foreign: u64,
    unusable: Vec<u64>,
    unreadable: Unreadable,
    coverage: FieldCoverage,
    samples: RowSamples,
    keys: Vec<u64>,
}

/// The rows of a page.
#[derive(Debug)]
pub(crate) struct ClassifiedPage {
    /// Of the campus's church, ready to be staged.
    pub(crate) staging: StagedPage,
    /// Rows of other churches.
    pub(crate) foreign: u64,
    /// Rows whose id cannot be one, by how many are before each.
    pub(crate) unusable: Vec<u64>,
    /// Values that cannot be read.
    pub(crate) unreadable: Unreadable,
    /// What the rows have.
    pub(crate) coverage: FieldCoverage,
    /// Some of the rows.
    pub(crate) samples: RowSamples,
    /// Of the ids of all that came, whosever they are.
    pub(crate) keys: Vec<u64>,
}

impl PageClassifier {
    /// For the campus as it is configured, at `now`.
    pub(crate) fn of(campus: &Campus, now: DateTime<Utc>) -> Self {
        let filter = campus.config.filter.clone();
        let keys = member::KEYS.into_iter().chain(["updated_at"]).chain(filter.fields());
        Self {
            church: campus.config.core_church_id.clone(),
            locale: campus.config.locale(now),
            keys: Keys::only(keys),
            filter,
            samples: RowSamples::new(),
        }
    }

    /// The coverage before any row was read.
    pub(crate) fn coverage(&self) -> FieldCoverage {
        FieldCoverage::of(&self.filter)
    }

    /// No samples yet.
    pub(crate) fn samples(&self) -> RowSamples {
        self.samples.begin()
    }

    /// Begins a page whose read has that number.
    pub(crate) fn begin(self: &Arc<Self>, seen_from: i64) -> PageInProgress {
        PageInProgress {
            classifier: Arc::clone(self),
            staging: StagedPage::new(seen_from),
            foreign: 0,
            unusable: Vec::new(),
            unreadable: Unreadable::default(),
            coverage: self.coverage(),
            samples: self.samples(),
            keys: Vec::new(),
        }
    }
}

impl Rows for PageInProgress {
    fn keys(&self) -> &Keys {
        &self.classifier.keys
    }

    fn take(&mut self, row: &CoreMember) {
        let classifier = &self.classifier;
        let before = self.keys.len() as u64;
        self.keys.push(Course::key(row.id().unwrap_or_default()));
        if row.church_id() != Some(&classifier.church) {
            self.foreign += 1;
            return;
        }
        self.coverage.look(row, &classifier.filter);
        self.samples.offer(row, &classifier.filter);
        match ListRow::read(row, &classifier.filter, classifier.locale) {
            Some(row) => {
                for column in &row.profile.unreadable {
                    self.unreadable[*column as usize] += 1;
                }
                self.coverage.look_at_columns(&row);
                self.staging.add(row);
            }
            None => self.unusable.push(before),
        }
    }
}

impl PageInProgress {
    pub(crate) fn end(self) -> ClassifiedPage {
        ClassifiedPage {
            staging: self.staging,
            foreign: self.foreign,
            unusable: self.unusable,
            unreadable: self.unreadable,
            coverage: self.coverage,
            samples: self.samples,
            keys: self.keys,
        }
    }
}
