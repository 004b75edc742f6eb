//! From the core's member to the columns that are synced, and no others.

use std::fmt;

use chrono::NaiveDate;
use serde_json::Value;
use url::Url;

use crate::{
    CoreMember, Field, Locale, birth, phone,
    photo::{self, Photo, PhotoRefusal},
    text::{Unreadable, clean, first_text, without_nul},
};

/// Which mapping this is. A change of what a core's value becomes, or of what a rule says of it, makes it another one, so that nothing is
/// taken as settled that was decided under the one before.
pub const MAPPING_VERSION: u32 = 3;

/// Longer photo addresses count as none: cut short they would lead nowhere.
const LONGEST_URL: usize = 8192;

/// The synced columns of a member, as the core has them now.
#[derive(Clone, Default, PartialEq)]
pub struct Profile {
    /// `full_name`, else `name`, else first and last name together.
    pub name: Field<String>,
    /// `phone`, else `phone_whatsapp`: in E.164 where it is a valid number.
    pub phone: Field<String>,
    /// `gender`, in the core's words.
    pub gender: Field<String>,
    /// `date_of_birth`, from 1900 on.
    pub birth_date: Field<NaiveDate>,
    /// Whole years at the campus's today; null for a birth date that is null or still to come, absent where
    /// the birth date is.
    pub age: Field<i32>,
    /// `member_status`.
    pub category: Field<String>,
    /// `photo_url`, where it is http or https; `photo_thumbnail_url` where the member has no other photo.
    pub photo_url: Field<String>,
    /// The photo to keep in `member_photos`; null where the core has none, or has it at `photo_url`.
    pub photo: Field<Photo>,
    /// Why a photo that the core sent is not kept.
    pub photo_refusal: Option<PhotoRefusal>,
    /// The columns whose value is there and cannot be read. They count as absent: what nobody understands
    /// says nothing about what is stored.
    pub unreadable: Vec<Column>,
}

/// A synced column whose value may be of a kind that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// `members.name`
    Name,
    /// `members.phone`
    Phone,
    /// `members.gender`
    Gender,
    /// `members.birth_date`
    BirthDate,
    /// `members.category`
    Category,
    /// `member_photos`
    Photo,
}

impl Column {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Name, Self::Phone, Self::Gender, Self::BirthDate, Self::Category, Self::Photo];

    /// Its name in the tables, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Phone => "phone",
            Self::Gender => "gender",
            Self::BirthDate => "birth_date",
            Self::Category => "category",
            Self::Photo => "photo",
        }
    }
}

impl Profile {
    /// Reads the synced columns. Whatever the core sends, this has an answer.
    pub fn of(member: &CoreMember, locale: &Locale) -> Self {
        let mut unreadable = Vec::new();
        let mut text = |column, read| readable(read, column, &mut unreadable);
        let name = text(Column::Name, name(member));
        let phone = text(Column::Phone, first_text(member, &["phone", "phone_whatsapp"]));
        let gender = text(Column::Gender, first_text(member, &["gender"]));
        let category = text(Column::Category, first_text(member, &["member_status"]));
        let birth_date = readable(birth_date(member), Column::BirthDate, &mut unreadable);
        let photo_url = photo_url(member);
        let (photo, photo_refusal) = kept_photo(member, &photo_url);
        if photo_refusal.is_some_and(PhotoRefusal::is_unreadable) {
            unreadable.push(Column::Photo);
        }
        Self {
            name,
            phone: phone.map(|raw| phone::normalize(&raw, locale.country)),
            gender,
            birth_date,
            age: birth_date.and_then(|date| birth::age(date, locale.today)),
            category,
            photo_url,
            photo,
            photo_refusal,
            unreadable,
        }
    }
}

/// What was read, or nothing said, with the column put down.
fn readable<T>(
    read: Result<Field<T>, Unreadable>,
    column: Column,
    unreadable: &mut Vec<Column>,
) -> Field<T> {
    read.unwrap_or_else(|Unreadable| {
        unreadable.push(column);
        Field::Absent
    })
}

fn name(member: &CoreMember) -> Result<Field<String>, Unreadable> {
    let whole = first_text(member, &["full_name", "name"]);
    if matches!(whole, Ok(Field::Value(_))) {
        return whole;
    }
    let parts: Vec<String> = ["first_name", "last_name"]
        .into_iter()
        .filter_map(|key| clean(member.get(key)?).ok().flatten())
        .collect();
    if parts.is_empty() { whole } else { Ok(Field::Value(parts.join(" "))) }
}

/// Blank text says that there is none, as in the other columns.
fn birth_date(member: &CoreMember) -> Result<Field<NaiveDate>, Unreadable> {
    match member.get("date_of_birth") {
        None => Ok(Field::Absent),
        Some(Value::Null) => Ok(Field::Null),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(Field::Null),
        Some(value) => birth::birth_date(value).map(Field::Value).ok_or(Unreadable),
    }
}

fn photo_url(member: &CoreMember) -> Field<String> {
    if let Some(address) = web_address(member, "photo_url") {
        return Field::Value(address);
    }
    let has_own =
        member.get("photo_base64").and_then(Value::as_str).is_some_and(|it| !it.is_empty());
    let thumbnail = if has_own { None } else { web_address(member, "photo_thumbnail_url") };
    match thumbnail {
        Some(address) => Field::Value(address),
        None if member.get("photo_url").is_some() => Field::Null,
        None => Field::Absent,
    }
}

fn web_address(member: &CoreMember, key: &str) -> Option<String> {
    let text = without_nul(member.get(key)?.as_str()?).trim().to_owned();
    is_web_address(&text).then_some(text)
}

/// Only what a browser fetches: FaithTracker puts this into pages, where `javascript:` would run.
fn is_web_address(text: &str) -> bool {
    text.len() <= LONGEST_URL
        && !text.contains(char::is_control)
        && text.contains("://")
        && Url::parse(text)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A photo lives in one place: at its address where it has one, else in `member_photos`.
fn kept_photo(
    member: &CoreMember,
    photo_url: &Field<String>,
) -> (Field<Photo>, Option<PhotoRefusal>) {
    if photo_url.value().is_some() {
        return (Field::Null, None);
    }
    let Some(value) = member.get("photo_base64") else {
        return (Field::Absent, None);
    };
    match photo::decode(value) {
        Ok(Some(photo)) => (Field::Value(photo), None),
        Ok(None) => (Field::Null, None),
        Err(refusal) if refusal.is_unreadable() => (Field::Absent, Some(refusal)),
        // It is a photo, and the one that was kept is not the member's any more.
        Err(refusal) => (Field::Null, Some(refusal)),
    }
}

/// Says which columns have something, never what.
impl fmt::Debug for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Profile")
            .field("name", &self.name)
            .field("phone", &self.phone)
            .field("gender", &self.gender)
            .field("birth_date", &self.birth_date)
            .field("age", &self.age)
            .field("category", &self.category)
            .field("photo_url", &self.photo_url)
            .field("photo", &self.photo)
            .field("photo_refusal", &self.photo_refusal)
            .field("unreadable", &self.unreadable)
            .finish()
    }
}
