//! The rows of a page as they are staged: in the binary format of `COPY`. They are brought into it where
//! they are classified, beside the run, which only hands them on.

use std::io::Cursor;

use chrono::{Datelike, NaiveDate};
use member::{ColumnRef, Field, Photo, SYNCED_COLUMNS};

use crate::list::row::ListRow;

/// A magic text, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In the place of a further row's number of columns.
const TRAILER: i16 = -1;
/// Postgres counts days from 1 January 2000, chrono from the year 1.
const FIRST_DAY: i32 = 730_120;
/// What the rows of a page take, about, in bytes.
const USUAL_PAGE: usize = 256 * 1024;

/// Rows in the binary format of `COPY`.
#[derive(Debug)]
pub(crate) struct CopyBuffer(Vec<u8>);

impl CopyBuffer {
    pub(crate) fn with_room(bytes: usize) -> Self {
        let mut tuples = Vec::with_capacity(bytes);
        tuples.extend_from_slice(HEADER);
        Self(tuples)
    }

    /// Begins a row of so many values.
    pub(crate) fn row(&mut self, values: i16) -> &mut Self {
        self.0.extend_from_slice(&values.to_be_bytes());
        self
    }

    /// Adds a `bytea`, a `text`, or whatever else is sent as it is.
    pub(crate) fn value(&mut self, value: Option<&[u8]>) -> &mut Self {
        let length = value.map_or(-1, |value| i32::try_from(value.len()).unwrap_or(i32::MAX));
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value.unwrap_or_default());
        self
    }

    fn text(&mut self, text: Option<&str>) -> &mut Self {
        self.value(text.map(str::as_bytes))
    }

    fn integer(&mut self, number: i32) -> &mut Self {
        self.value(Some(&number.to_be_bytes()))
    }

    fn date(&mut self, date: NaiveDate) -> &mut Self {
        self.integer(date.num_days_from_ce() - FIRST_DAY)
    }

    /// What is to be sent until now.
    pub(crate) fn take(&mut self) -> Cursor<Vec<u8>> {
        Cursor::new(std::mem::take(&mut self.0))
    }

    /// What is to be sent, and that it is all.
    pub(crate) fn end(mut self) -> Cursor<Vec<u8>> {
        self.0.extend_from_slice(&TRAILER.to_be_bytes());
        Cursor::new(self.0)
    }
}

/// The rows of a page.
#[derive(Debug)]
pub(crate) struct StagedPage {
    seen_from: i64,
    pub(crate) number: usize,
    pub(crate) tuples: CopyBuffer,
    /// Of those whom the list alone may create; the others have theirs here, or get it when they are
    /// asked for by id.
    pub(crate) photos: Vec<(String, Photo)>,
}

impl StagedPage {
    /// The columns of the staging table, in the order of [`Self::add`].
    pub(crate) fn columns() -> String {
        let synced: Vec<&str> = SYNCED_COLUMNS.iter().map(|column| column.name).collect();
        format!("seen_from, member, state, {}, photo, present_columns, hash", synced.join(", "))
    }

    /// For a page whose read has that number.
    pub(crate) fn new(seen_from: i64) -> Self {
        let tuples = CopyBuffer::with_room(USUAL_PAGE);
        Self { seen_from, number: 0, tuples, photos: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: ListRow) {
        self.number += 1;
        self.tuples
            .row(i16::try_from(SYNCED_COLUMNS.len() + 6).unwrap_or(i16::MAX))
            .value(Some(&self.seen_from.to_be_bytes()))
            .text(Some(&row.member))
            .text(Some(row.state.letter()));
        for column in &SYNCED_COLUMNS {
            match column.of(&row.profile).into_value() {
                None => self.tuples.value(None),
                Some(ColumnRef::Text(text)) => self.tuples.text(Some(text)),
                Some(ColumnRef::Date(date)) => self.tuples.date(date),
                Some(ColumnRef::Integer(number)) => self.tuples.integer(number),
            };
        }
        let photo = row.profile.photo.value();
        self.tuples
            .value(photo.map(|photo| photo.sha256.as_slice()))
            .integer(row.present_columns)
            .value(Some(&row.hash));
        if let (Field::Value(photo), true) = (row.profile.photo, row.state.creates()) {
            self.photos.push((row.member, photo));
        }
    }
}
