//! Which members a church has, in which order its list shows them.
//!
//! Only members that differ from what the generator makes are kept in memory; the list is the
//! generated rows without the hidden ones, and a tail behind them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::document::Document;

/// How a church knows a member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A row of the generator.
    Row(u64),
    /// The id of any other member.
    Id(String),
}

/// A member in memory, with the body that a GET answers.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) document: Document,
    pub(super) body: Bytes,
}

/// A member as the roster finds it, to be rendered without the lock.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// As the generator makes it.
    Generated(u64),
    /// Created or changed.
    Stored(Arc<Stored>),
}

/// The members of one church.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Generated rows, from 0.
    pub(super) rows: u64,
    /// Members created so far.
    pub(super) created: u64,
    /// Rows that are not in their place of the list: deleted, purged, or moved to the tail.
    hidden: BTreeSet<u64>,
    tail: BTreeMap<u64, Key>,
    next_place: u64,
    changed: HashMap<Key, Changed>,
}

#[derive(Debug)]
enum Changed {
    Present {
        member: Arc<Stored>,
        /// Its place in the list; a deleted one has none.
        place: Option<Place>,
    },
    Purged,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// Its own row.
    Row,
    Tail(u64),
}

impl Roster {
    pub(super) fn new(rows: u64) -> Self {
        Self { rows, ..Self::default() }
    }

    pub(super) fn find(&self, key: &Key) -> Option<Found> {
        match (self.changed.get(key), key) {
            (Some(Changed::Present { member, .. }), _) => Some(Found::Stored(Arc::clone(member))),
            (None, Key::Row(row)) if *row < self.rows => Some(Found::Generated(*row)),
            (Some(Changed::Purged) | None, _) => None,
        }
    }

    /// Keeps a member, new or changed, and lists it unless it is deleted.
    pub(super) fn keep(&mut self, key: Key, document: Document, move_to_end: bool) {
        let place = match (self.place(&key), &key) {
            _ if document.is_true("is_deleted") => {
                self.unlist(&key);
                None
            }
            (Some(_), _) if move_to_end => {
                self.unlist(&key);
                Some(self.append(&key))
            }
            (Some(place), _) => Some(place),
            (None, Key::Row(row)) if *row < self.rows => {
                self.hidden.remove(row);
                Some(Place::Row)
            }
            (None, _) => Some(self.append(&key)),
        };
        let body = document.to_bytes();
        let member = Arc::new(Stored { document, body });
        self.changed.insert(key, Changed::Present { member, place });
    }

    /// Forgets a member for good.
    pub(super) fn purge(&mut self, key: Key) {
        self.unlist(&key);
        if let Key::Row(_) = key {
            self.changed.insert(key, Changed::Purged);
        } else {
            self.changed.remove(&key);
        }
    }

    /// How many rows there are, if the list is as the generator makes it.
    pub(super) fn rows_if_untouched(&self) -> Option<u64> {
        (self.changed.is_empty() && self.hidden.is_empty()).then_some(self.rows)
    }

    /// How many members the list has.
    pub(super) fn listed(&self) -> u64 {
        self.rows - self.hidden.len() as u64 + self.tail.len() as u64
    }

    /// Every listed member in order.
    pub(super) fn list(&self) -> impl Iterator<Item = Found> {
        self.list_from(0)
    }

    /// The listed members from a place on: no scan, so that the last page of a million costs like
    /// the first.
    pub(super) fn list_from(&self, place: u64) -> impl Iterator<Item = Found> {
        let in_rows = self.rows - self.hidden.len() as u64;
        let first_row = if place < in_rows { self.row_at(place) } else { self.rows };
        let behind = usize::try_from(place.saturating_sub(in_rows)).unwrap_or(usize::MAX);
        let rows = (first_row..self.rows)
            .filter(|row| !self.hidden.contains(row))
            .filter_map(|row| self.find(&Key::Row(row)));
        rows.chain(self.tail.values().skip(behind).filter_map(|key| self.find(key)))
    }

    /// The members in memory.
    pub(super) fn stored(&self) -> impl Iterator<Item = (&Key, &Arc<Stored>)> {
        self.changed.iter().filter_map(|(key, changed)| match changed {
            Changed::Present { member, .. } => Some((key, member)),
            Changed::Purged => None,
        })
    }

    /// Whether a row is as the generator makes it.
    pub(super) fn is_untouched(&self, row: u64) -> bool {
        row < self.rows && !self.changed.contains_key(&Key::Row(row))
    }

    /// The place of a listed member.
    fn place(&self, key: &Key) -> Option<Place> {
        match (self.changed.get(key), key) {
            (Some(Changed::Present { place, .. }), _) => *place,
            (None, Key::Row(row)) if *row < self.rows => Some(Place::Row),
            (Some(Changed::Purged) | None, _) => None,
        }
    }

    fn append(&mut self, key: &Key) -> Place {
        let place = self.next_place;
        self.next_place += 1;
        self.tail.insert(place, key.clone());
        Place::Tail(place)
    }

    fn unlist(&mut self, key: &Key) {
        if let Some(Changed::Present { place: Some(Place::Tail(place)), .. }) =
            self.changed.get(key)
        {
            self.tail.remove(place);
        }
        if let Key::Row(row) = key
            && *row < self.rows
        {
            self.hidden.insert(*row);
        }
    }

    /// The generated row at a place of the list: every hidden row before it pushes it on by one.
    fn row_at(&self, place: u64) -> u64 {
        let mut row = place;
        for hidden in &self.hidden {
            if *hidden > row {
                break;
            }
            row += 1;
        }
        row
    }
}
