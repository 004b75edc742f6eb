//! A row of the core's list, as it is staged: what it would make of the member's columns, mapped and
//! filtered as the worker would do it.

use chrono::NaiveDate;
use member::{Column, CoreMember, Field, Filter, Locale, MAPPING_VERSION, Photo, Profile, Verdict};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The gateway's own limit for ids; a longer one was never a member here.
const LONGEST_ID: usize = 128;

/// What the list's row says of the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowState {
    Active,
    Inactive,
    Filtered,
    Deleted,
    /// The row lacks what the filter asks for, or does not say whether the member is active.
    Unsure,
}

impl RowState {
    /// Whether somebody who was never heard of is created from such a row.
    pub(crate) const fn creates(self) -> bool {
        matches!(self, Self::Active | Self::Inactive)
    }

    /// The letter in the staging table.
    pub(crate) const fn letter(self) -> &'static str {
        match self {
            Self::Active => "a",
            Self::Inactive => "i",
            Self::Filtered => "f",
            Self::Deleted => "d",
            Self::Unsure => "u",
        }
    }
}

/// A row, ready to be staged.
#[derive(Debug, Clone)]
pub(crate) struct ListRow {
    pub(crate) member: String,
    pub(crate) state: RowState,
    pub(crate) name: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) gender: Option<String>,
    pub(crate) birth_date: Option<NaiveDate>,
    pub(crate) age: Option<i32>,
    pub(crate) photo_url: Option<String>,
    pub(crate) category: Option<String>,
    /// The photo that is kept here.
    pub(crate) photo: Option<Photo>,
    /// Which columns the row has, be it with null: [`column_bits`].
    pub(crate) present_columns: i32,
    /// In which columns the row has a value, by the same bits.
    pub(crate) has_value: i32,
    /// Of all the above, when the core last changed the member, and by which mapping it was read: what an id
    /// decided is remembered by it.
    pub(crate) hash: [u8; 16],
    /// The columns whose value cannot be read: they count as not present.
    pub(crate) unreadable: Vec<Column>,
}

/// The bits of [`ListRow::present_columns`].
pub(crate) mod column_bits {
    pub(crate) const NAME: i32 = 1;
    pub(crate) const PHONE: i32 = 2;
    pub(crate) const GENDER: i32 = 4;
    pub(crate) const BIRTH_DATE: i32 = 8;
    pub(crate) const PHOTO_URL: i32 = 16;
    pub(crate) const CATEGORY: i32 = 32;
    pub(crate) const PHOTO: i32 = 64;
}

impl ListRow {
    /// Judges a row of the campus's church. None for an id that could not be asked for or stored.
    pub(crate) fn read(row: &CoreMember, filter: &Filter, locale: Locale) -> Option<Self> {
        let member = row.id().filter(|id| is_usable(id))?.to_owned();
        let (state, profile) = match member::map(row, filter, &locale) {
            Ok(Verdict::Active(profile)) => (RowState::Active, profile),
            // Not said here, but perhaps by id.
            Ok(Verdict::Unstated(profile)) => (RowState::Unsure, profile),
            Ok(Verdict::Inactive(profile)) => (RowState::Inactive, profile),
            Ok(Verdict::Filtered(profile)) => (RowState::Filtered, profile),
            Ok(Verdict::Deleted) => (RowState::Deleted, Profile::of(row, &locale)),
            Err(_) => (RowState::Unsure, Profile::of(row, &locale)),
        };
        let mut staged = Self::of(member, state, profile);
        staged.hash = staged.digest(row.get("updated_at"));
        Some(staged)
    }

    fn of(member: String, state: RowState, profile: Profile) -> Self {
        let mut bits = Bits::default();
        let name = bits.take(profile.name, column_bits::NAME);
        let phone = bits.take(profile.phone, column_bits::PHONE);
        let gender = bits.take(profile.gender, column_bits::GENDER);
        let birth_date = bits.take(profile.birth_date, column_bits::BIRTH_DATE);
        let photo_url = bits.take(profile.photo_url, column_bits::PHOTO_URL);
        let category = bits.take(profile.category, column_bits::CATEGORY);
        let photo = bits.take(profile.photo, column_bits::PHOTO);
        let age = profile.age.into_value();
        let (hash, unreadable) = ([0; 16], profile.unreadable);
        Self {
            member,
            state,
            name,
            phone,
            gender,
            birth_date,
            age,
            photo_url,
            category,
            photo,
            present_columns: bits.present_columns,
            has_value: bits.has_value,
            hash,
            unreadable,
        }
    }

    /// Without the age, which is another one every year without the core having said anything.
    fn digest(&self, updated_at: Option<&Value>) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(MAPPING_VERSION.to_le_bytes());
        let birth_date = self.birth_date.map(|date| date.to_string());
        let texts = [
            Some(self.state.letter()),
            self.name.as_deref(),
            self.phone.as_deref(),
            self.gender.as_deref(),
            birth_date.as_deref(),
            self.photo_url.as_deref(),
            self.category.as_deref(),
            updated_at.and_then(Value::as_str),
        ];
        for text in texts.into_iter().map(|text| text.map(str::as_bytes)) {
            // The length before each keeps two texts from being taken for one.
            hash.update(text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
            hash.update(text.unwrap_or_default());
        }
        hash.update(self.present_columns.to_le_bytes());
        if let Some(photo) = &self.photo {
            hash.update(photo.sha256);
        }
        let mut half = [0; 16];
        half.copy_from_slice(&hash.finalize()[..16]);
        half
    }
}

/// Which columns a row has, and in which it has a value.
#[derive(Default)]
struct Bits {
    present_columns: i32,
    has_value: i32,
}

impl Bits {
    fn take<T>(&mut self, field: Field<T>, bit: i32) -> Option<T> {
        if !field.is_absent() {
            self.present_columns |= bit;
        }
        let value = field.into_value();
        if value.is_some() {
            self.has_value |= bit;
        }
        value
    }
}

fn is_usable(id: &str) -> bool {
    id.len() <= LONGEST_ID && !id.contains(char::is_control) && !matches!(id, "." | "..")
}
