//! By what two rows are told to be one person's: the phone in E.164, and the name as people read it.

use std::fmt;

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;

use crate::{Country, phone::to_e164};

/// The last digits of a phone, which are the same in every way of writing it.
const TAIL: usize = 6;

/// A person, by phone and name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Person {
    phone: String,
    name: String,
}

impl Person {
    /// None where there is no name, or the phone is no valid number of anywhere; one without a country is
    /// read as `country`'s.
    pub fn of(name: Option<&str>, phone: Option<&str>, country: Country) -> Option<Self> {
        let name = compared(name?);
        let phone = to_e164(phone?, country)?;
        (!name.is_empty()).then_some(Self { phone, name })
    }

    /// What `phone_tail` in Postgres makes of this phone, however it is written there: whom to compare with.
    pub fn phone_tail(&self) -> &str {
        let digits = self.phone.trim_start_matches('+');
        &digits[digits.len().saturating_sub(TAIL)..]
    }
}

/// The name in one form for all that look alike: NFKC, case folded, and single spaces.
fn compared(name: &str) -> String {
    let compatible: String = name.nfkc().collect();
    // Folding may take a composed letter apart.
    let folded: String = UniCase::unicode(compatible).to_folded_case().nfkc().collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Says that there is somebody, never who.
impl fmt::Debug for Person {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Person(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn person(name: &str, phone: &str) -> Option<Person> {
        Person::of(Some(name), Some(phone), "ID".parse().unwrap())
    }

    #[test]
    fn one_person_is_known_in_every_way_of_writing_them() {
        let budi = person("Budi Đặng Santoso", "+6281234567890").unwrap();
        for (name, phone) in [
            ("BUDI ĐẶNG SANTOSO", "0812-3456-7890"),
            ("  budi  Đặng\u{a0}Santoso ", "62 812 3456 7890"),
            ("Ｂｕｄｉ Đa\u{323}\u{306}ng Santoso", "0062 812 3456 7890"),
            ("budi\tđặng\nsantoso", "８１２３４５６７８９０"),
        ] {
            assert_eq!(person(name, phone).as_ref(), Some(&budi), "{name} {phone}");
        }
        assert_eq!(budi.phone_tail(), "567890");
        assert_eq!(person("Weiß", "081234567890"), person("WEISS", "081234567890"));
    }

    #[test]
    fn others_are_others() {
        let budi = person("Budi", "081234567890");
        for (name, phone) in
            [("Budi S", "081234567890"), ("Budi", "081234567891"), ("Budí", "081234567890")]
        {
            assert_ne!(person(name, phone), budi);
        }
        for (name, phone) in
            [("", "081234567890"), (" \t", "081234567890"), ("Budi", "12"), ("Budi", "")]
        {
            assert_eq!(person(name, phone), None);
        }
        let country = "ID".parse().unwrap();
        assert_eq!(Person::of(None, Some("081234567890"), country), None);
        assert_eq!(Person::of(Some("Budi"), None, country), None);
    }

    #[test]
    fn nothing_of_a_person_is_printed() {
        let printed = format!("{:?}", person("Budi", "081234567890"));
        assert!(!printed.contains("udi") && !printed.contains("812"), "{printed}");
    }
}
