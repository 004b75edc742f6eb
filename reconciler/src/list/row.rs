//! A row of the core's list, as it is staged: what it would make of the member's columns, mapped and
//! filtered as the worker would do it.

use member::{
    ColumnRef, CoreMember, Field, Filter, Locale, MAPPING_VERSION, PHOTO_BIT, Profile,
    SyncedColumn, Verdict,
};
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
    /// What the row makes of the member's columns.
    pub(crate) profile: Profile,
    /// Which columns the row has, be it with null, by the bits of
    /// [`SyncedColumn`].
    pub(crate) present_columns: i32,
    /// In which columns the row has a value, by the same bits.
    pub(crate) has_value: i32,
    /// Of all the above, when the core last changed the member, and by which mapping it was read: what an id
    /// decided is remembered by it.
    pub(crate) hash: [u8; 16],
}

impl ListRow {
    /// Classifies a row of the campus's church. None for an id that could not be asked for or stored.
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
        for column in SyncedColumn::compared() {
            bits.note(&column.of(&profile), column.presence_bit);
        }
        bits.note(&profile.photo, PHOTO_BIT);
        let Bits { present_columns, has_value } = bits;
        Self { member, state, profile, present_columns, has_value, hash: [0; 16] }
    }

    /// Without the age, which is another one every year without the core having said anything.
    fn digest(&self, updated_at: Option<&Value>) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(MAPPING_VERSION.to_le_bytes());
        let mut add = |text: Option<&str>| {
            // The length before each keeps two texts from being taken for one.
            hash.update(text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
            hash.update(text.unwrap_or_default());
        };
        add(Some(self.state.letter()));
        for column in SyncedColumn::compared() {
            let text = column.of(&self.profile).into_value().map(ColumnRef::text);
            add(text.as_deref());
        }
        add(updated_at.and_then(Value::as_str));
        hash.update(self.present_columns.to_le_bytes());
        if let Some(photo) = self.profile.photo.value() {
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
    fn note<T>(&mut self, field: &Field<T>, bit: i32) {
        if !field.is_absent() {
            self.present_columns |= bit;
        }
        if field.value().is_some() {
            self.has_value |= bit;
        }
    }
}

fn is_usable(id: &str) -> bool {
    id.len() <= LONGEST_ID && !id.contains(char::is_control) && !matches!(id, "." | "..")
}
