//! From the core's member to the columns that are synced, and no others.

use std::fmt;

use chrono::NaiveDate;
use url::Url;

use crate::{
    CoreMember, Field, Locale, birth, phone,
    photo::{self, Photo, PhotoRefusal},
    text::{clean, first_text, without_nul},
};

/// Longer photo addresses count as none: cut short they would lead nowhere.
const LONGEST_URL: usize = 8192;

/// The synced columns of a member, as the core has them now.
#[derive(Clone, PartialEq)]
pub struct Profile {
    /// `full_name`, else `name`, else first and last name together.
    pub name: Field<String>,
    /// `phone`, else `phone_whatsapp`: in E.164 where it is a valid number.
    pub phone: Field<String>,
    /// `gender`, in the core's words.
    pub gender: Field<String>,
    /// `date_of_birth`; null where that is no possible date.
    pub birth_date: Field<NaiveDate>,
    /// Whole years at the campus's today; null for a birth date that is null or still to come.
    pub age: Field<i32>,
    /// `member_status`.
    pub category: Field<String>,
    /// `photo_url`, where it is http or https.
    pub photo_url: Field<String>,
    /// The photo to keep in `member_photos`; null where the core has none, or has it at `photo_url`.
    pub photo: Field<Photo>,
    /// Why a photo that the core sent counts as null.
    pub photo_refusal: Option<PhotoRefusal>,
}

impl Profile {
    /// Reads the synced columns. Whatever the core sends, this has an answer: odd values count as null.
    pub fn of(member: &CoreMember, locale: &Locale) -> Self {
        let birth_date = birth_date(member);
        let photo_url = photo_url(member);
        let (photo, photo_refusal) = kept_photo(member, &photo_url);
        Self {
            name: name(member),
            phone: first_text(member, &["phone", "phone_whatsapp"])
                .map(|raw| phone::normalize(&raw, locale.country)),
            gender: first_text(member, &["gender"]),
            birth_date,
            age: birth_date.and_then(|date| birth::age(date, locale.today)),
            category: first_text(member, &["member_status"]),
            photo_url,
            photo,
            photo_refusal,
        }
    }
}

fn name(member: &CoreMember) -> Field<String> {
    let name = first_text(member, &["full_name", "name"]);
    if name.value().is_some() {
        return name;
    }
    let parts: Vec<String> =
        ["first_name", "last_name"].into_iter().filter_map(|key| clean(member.get(key)?)).collect();
    if parts.is_empty() { name } else { Field::Value(parts.join(" ")) }
}

fn birth_date(member: &CoreMember) -> Field<NaiveDate> {
    member
        .get("date_of_birth")
        .map_or(Field::Absent, |value| birth::date(value).map_or(Field::Null, Field::Value))
}

fn photo_url(member: &CoreMember) -> Field<String> {
    let Some(value) = member.get("photo_url") else {
        return Field::Absent;
    };
    value
        .as_str()
        .map(|text| without_nul(text).trim().to_owned())
        .filter(|text| is_web_address(text))
        .map_or(Field::Null, Field::Value)
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
            .finish()
    }
}
