//! One church: its members, and where its webhooks go.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::document::Document;
use super::generator::Generator;
use super::identity::{self, Origin};
use super::journal::{Entry, Journal};
use super::prebuilt::Prebuilt;
use super::roster::{Found, Key, Roster, Stored};
use super::target::WebhookTarget;

/// A church with its members.
#[derive(Debug)]
pub(super) struct Church {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) generator: Generator,
    /// Where its webhooks go, once that is configured.
    pub(super) webhook: RwLock<Option<WebhookTarget>>,
    roster: RwLock<Roster>,
    prebuilt: Option<Prebuilt>,
    /// Where its changes are kept, if they are.
    journal: OnceLock<Arc<Journal>>,
}

/// A row of a list page: its church, and the member.
pub(super) type Row = (Arc<Church>, Found);

impl Church {
    pub(super) fn new(
        id: String,
        name: String,
        generator: Generator,
        rows: u64,
        prebuilt: bool,
    ) -> Self {
        let roster = RwLock::new(Roster::new(rows));
        let prebuilt = prebuilt.then(|| Prebuilt::of(&generator, rows));
        let (webhook, journal) = (RwLock::default(), OnceLock::new());
        Self { id, name, generator, webhook, roster, prebuilt, journal }
    }

    /// Keeps every change from here on in `journal`.
    pub(super) fn keep_changes(&self, journal: Arc<Journal>) {
        self.journal.set(journal).ok();
    }

    /// Makes a change of an earlier simulation.
    pub(super) fn replay(&self, entry: Entry) {
        let mut roster = self.write();
        match entry {
            Entry::Kept { id, document, to_end } => roster.keep(self.key(&id), document, to_end),
            Entry::Purged { id } => roster.purge(self.key(&id)),
            Entry::Rows(rows) => roster.rows = rows,
            Entry::Created(created) => roster.created = created,
        }
    }

    /// Under the roster's lock, so that the file has the changes in their order.
    fn note(&self, entry: impl FnOnce() -> Entry) {
        if let Some(journal) = self.journal.get() {
            journal.note(&self.id, entry());
        }
    }

    /// A generated row as the list and its own GET show it, if that was rendered ahead.
    pub(super) fn prebuilt(&self, row: u64) -> Option<Bytes> {
        self.prebuilt.as_ref()?.row(row)
    }

    /// The rows of a page, if they were rendered ahead and the list is as it was then.
    pub(super) fn prebuilt_page(&self, skip: u64, limit: u64) -> Option<Bytes> {
        let roster = self.read();
        let rows = roster.rows_if_untouched()?;
        self.prebuilt.as_ref()?.rows(skip.min(rows)..skip.saturating_add(limit).min(rows))
    }

    /// Whether it has the member, deleted or not.
    pub(super) fn has(&self, id: &str) -> bool {
        self.read().find(&self.key(id)).is_some()
    }

    /// A member's document, deleted ones included, purged ones not.
    pub(super) fn document(&self, id: &str) -> Option<Document> {
        let found = self.read().find(&self.key(id))?;
        Some(self.render(&found))
    }

    /// The body that a GET of the member answers.
    pub(super) fn body(&self, id: &str) -> Option<Bytes> {
        let found = self.read().find(&self.key(id))?;
        Some(match found {
            Found::Generated(row) => self.generator.member(row).to_bytes(),
            Found::Stored(stored) => stored.body.clone(),
        })
    }

    /// The document of what the roster found.
    pub(super) fn render(&self, found: &Found) -> Document {
        match found {
            Found::Generated(row) => self.generator.member(*row),
            Found::Stored(stored) => stored.document.clone(),
        }
    }

    /// Changes a member, and answers what it became; `None` where there is no such member.
    pub(super) fn change(
        &self,
        id: &str,
        move_to_end: bool,
        change: impl FnOnce(&mut Document),
    ) -> Option<Document> {
        let key = self.key(id);
        let mut roster = self.write();
        let mut document = self.render(&roster.find(&key)?);
        change(&mut document);
        roster.keep(key, document.clone(), move_to_end);
        self.note(|| kept(id, &document, move_to_end));
        Some(document)
    }

    /// Keeps a member under an id, new or not.
    pub(super) fn put(&self, id: &str, document: Document) {
        let mut roster = self.write();
        self.note(|| kept(id, &document, false));
        roster.keep(self.key(id), document, false);
    }

    /// Forgets a member for good; false where there is none.
    pub(super) fn purge(&self, id: &str) -> bool {
        let key = self.key(id);
        let mut roster = self.write();
        let found = roster.find(&key).is_some();
        if found {
            roster.purge(key);
            self.note(|| Entry::Purged { id: id.to_owned() });
        }
        found
    }

    /// The number and the id of the next created member.
    pub(super) fn next_created(&self) -> (u64, String) {
        let mut roster = self.write();
        roster.created += 1;
        self.note(|| Entry::Created(roster.created));
        let origin = Origin::Created(roster.created);
        (roster.created, identity::encode(self.generator.seed, self.generator.church, origin))
    }

    /// Appends generated members, and answers their rows.
    pub(super) fn import(&self, count: u64) -> Range<u64> {
        let mut roster = self.write();
        let first = roster.rows;
        roster.rows += count;
        self.note(|| Entry::Rows(roster.rows));
        first..roster.rows
    }

    /// How many generated rows there are, changed and purged ones included.
    pub(super) fn rows(&self) -> u64 {
        self.read().rows
    }

    /// How many members the list has.
    pub(super) fn listed(&self, is_active: Option<bool>) -> u64 {
        let roster = self.read();
        match is_active {
            None => roster.listed(),
            Some(wanted) => {
                roster.list().filter(|found| self.is_active(found) == wanted).count() as u64
            }
        }
    }

    /// Appends list rows to `page` until it holds `limit`; takes what it skips off `skip`.
    pub(super) fn page(
        self: &Arc<Self>,
        is_active: Option<bool>,
        skip: &mut u64,
        limit: usize,
        page: &mut Vec<Row>,
    ) {
        let listed = self.listed(is_active);
        let place = *skip;
        *skip = skip.saturating_sub(listed);
        if place >= listed {
            return;
        }
        let roster = self.read();
        let room = limit.saturating_sub(page.len());
        let row = |found| (Arc::clone(self), found);
        match is_active {
            None => page.extend(roster.list_from(place).take(room).map(row)),
            Some(wanted) => page.extend(
                roster
                    .list()
                    .filter(|found| self.is_active(found) == wanted)
                    .skip(usize::try_from(place).unwrap_or(usize::MAX))
                    .take(room)
                    .map(row),
            ),
        }
    }

    /// Every member that exists, soft-deleted ones included; the order means nothing.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Document)) {
        // Copied, so that a long visit of a large church does not hold up its changes.
        let (rows, stored): (Vec<Range<u64>>, HashMap<Key, Arc<Stored>>) = {
            let roster = self.read();
            let stored = roster.stored().map(|(key, member)| (key.clone(), Arc::clone(member)));
            (untouched(&roster), stored.collect())
        };
        for member in stored.values() {
            visit(&member.document);
        }
        for row in rows.into_iter().flatten() {
            visit(&self.generator.member(row));
        }
    }

    /// The ids of members in memory that are wanted, sorted.
    pub(super) fn changed_ids(&self, wanted: impl Fn(&Document) -> bool) -> Vec<String> {
        let roster = self.read();
        let mut ids: Vec<String> = roster
            .stored()
            .filter(|(_, member)| wanted(&member.document))
            .map(|(key, _)| match key {
                Key::Row(row) => self.generator.id(*row),
                Key::Id(id) => id.clone(),
            })
            .collect();
        // The map's order differs from run to run, and what is chosen from here must not.
        ids.sort_unstable();
        ids
    }

    fn is_active(&self, found: &Found) -> bool {
        match found {
            Found::Generated(row) => self.generator.is_active(*row),
            Found::Stored(stored) => stored.document.is_true("is_active"),
        }
    }

    fn key(&self, id: &str) -> Key {
        match identity::decode(self.generator.seed, id) {
            Some((church, Origin::Generated(row))) if church == self.generator.church => {
                Key::Row(row)
            }
            _ => Key::Id(id.to_owned()),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Roster> {
        self.roster.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Roster> {
        self.roster.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kept(id: &str, document: &Document, to_end: bool) -> Entry {
    Entry::Kept { id: id.to_owned(), document: document.clone(), to_end }
}

/// The rows that are as the generator makes them, as ranges.
fn untouched(roster: &Roster) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for row in (0..roster.rows).filter(|row| roster.is_untouched(*row)) {
        match ranges.last_mut() {
            Some(range) if range.end == row => range.end = row + 1,
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}
