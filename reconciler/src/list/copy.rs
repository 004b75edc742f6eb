//! The rows of a page as they are staged: in the binary format of `COPY`. They are brought into it where
//! they are classified, beside the run, which only hands them on.

use std::io::Cursor;

use chrono::{Datelike, NaiveDate};
use member::Photo;

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

    fn integer(&mut self, number: Option<i32>) -> &mut Self {
        self.value(number.map(i32::to_be_bytes).as_ref().map(<[u8; 4]>::as_slice))
    }

    fn date(&mut self, date: Option<NaiveDate>) -> &mut Self {
        self.integer(date.map(|date| date.num_days_from_ce() - FIRST_DAY))
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
    pub(crate) const COLUMNS: &str = "seen_from, member, state, name, phone, gender, birth_date, age, \
         photo_url, category, photo, present_columns, hash";

    /// For a page whose read has that number.
    pub(crate) fn new(seen_from: i64) -> Self {
        let tuples = CopyBuffer::with_room(USUAL_PAGE);
        Self { seen_from, number: 0, tuples, photos: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: ListRow) {
        self.number += 1;
        self.tuples
            .row(13)
            .value(Some(&self.seen_from.to_be_bytes()))
            .text(Some(&row.member))
            .text(Some(row.state.letter()))
            .text(row.name.as_deref())
            .text(row.phone.as_deref())
            .text(row.gender.as_deref())
            .date(row.birth_date)
            .integer(row.age)
            .text(row.photo_url.as_deref())
            .text(row.category.as_deref())
            .value(row.photo.as_ref().map(|photo| photo.sha256.as_slice()))
            .integer(Some(row.present_columns))
            .value(Some(&row.hash));
        if let Some(photo) = row.photo.filter(|_| row.state.creates()) {
            self.photos.push((row.member, photo));
        }
    }
}
