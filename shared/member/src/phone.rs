//! Phone numbers: one form for one number, whatever way people wrote it.

use std::{fmt, str::FromStr};

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, Region};
use thiserror::Error;

/// Longer than any number with all the punctuation people put into it.
const LONGEST_NUMBER: usize = 64;

/// A country that has telephone numbers, by its two-letter ISO 3166 code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Country(Region);

/// The text is no country's two-letter code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no such country: expected a two-letter ISO 3166 code such as ID")]
pub struct UnknownCountry;

impl FromStr for Country {
    type Err = UnknownCountry;

    /// Reads a code in either case.
    fn from_str(code: &str) -> Result<Self, UnknownCountry> {
        let region = Region::from_code(&code.to_ascii_uppercase()).map_err(|_| UnknownCountry)?;
        PHONE_NUMBER_UTIL
            .get_country_code_for_region(region)
            .map(|_| Self(region))
            .ok_or(UnknownCountry)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_region_str().as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Country({self})")
    }
}

/// The number in E.164 (`+6281234567890`), or, where it is no valid number, as it came but for space around
/// it: a bad phone is kept for a person to read and never rejects a member.
pub fn normalize(raw: &str, country: Country) -> String {
    to_e164(raw, country).unwrap_or_else(|| raw.trim().to_owned())
}

/// The number in E.164, read as one of `country` where it has no prefix of its own. None where it is not valid.
pub fn to_e164(raw: &str, country: Country) -> Option<String> {
    let number: String = raw.chars().filter(|c| !is_invisible(*c)).collect();
    if number.len() > LONGEST_NUMBER || !number.chars().all(is_dialled) {
        return None;
    }
    valid(&number, country).or_else(|| valid(&with_plus(&number, country)?, country))
}

fn valid(number: &str, country: Country) -> Option<String> {
    let parsed = PhoneNumber::parse(number, Some(country.0)).ok()?;
    // An extension has no place in E.164; dropping it would lose what the person wrote.
    (parsed.is_valid() && parsed.extension.is_none())
        .then(|| parsed.format_as(PhoneNumberFormat::E164).into_owned())
}

/// Ways to write a number for other countries that its own country's dialling rules do not know: `62812…`, as
/// messengers show Indonesian numbers, and `0062812…`, the international prefix of most of the world.
fn with_plus(number: &str, country: Country) -> Option<String> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    if let Some(international) = digits.strip_prefix("00") {
        return Some(format!("+{international}"));
    }
    let calling_code = PHONE_NUMBER_UTIL.get_country_code_for_region(country.0)?;
    digits.starts_with(&calling_code.to_string()).then(|| format!("+{digits}"))
}

/// Digits and the signs people group them with. The library would skip over letters, a second number after a
/// slash, or an extension, and so make another number of it.
fn is_dialled(c: char) -> bool {
    c.is_numeric()
        || c.is_whitespace()
        || matches!(c, '+' | '＋' | '-' | '‐'..='―' | '−' | '.' | '(' | ')' | '[' | ']')
}

/// The direction marks that come along when a number is copied out of a messenger.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use proptest::prelude::*;

    use super::{Country, normalize, to_e164};

    fn country(code: &str) -> Country {
        code.parse().unwrap()
    }

    #[test]
    fn every_way_of_writing_an_indonesian_number_is_the_same_number() {
        let written = [
            "081234567890",
            "6281234567890",
            "+6281234567890",
            "+62 812-3456-7890",
            "62 812 3456 7890",
            "0812.3456.7890",
            "(0812) 3456 7890",
            "(+62) 812 3456 7890",
            "+62 (0)812 3456 7890",
            "[0812] 34567890",
            "81234567890",
            " 0812 3456 7890 ",
            "\u{202a}+62 812\u{2011}3456\u{2011}7890\u{202c}",
            "0812\u{a0}3456\u{a0}7890",
            "006281234567890",
        ];
        for raw in written {
            assert_eq!(to_e164(raw, country("ID")).as_deref(), Some("+6281234567890"), "{raw}");
        }
    }

    #[test]
    fn a_calling_code_without_plus_is_known_in_any_country() {
        assert_eq!(to_e164("6591234567", country("SG")).as_deref(), Some("+6591234567"));
        assert_eq!(to_e164("442079460958", country("GB")).as_deref(), Some("+442079460958"));
        assert_eq!(to_e164("12025550173", country("US")).as_deref(), Some("+12025550173"));
    }

    #[test]
    fn a_number_of_another_country_keeps_its_own_code() {
        assert_eq!(to_e164("+65 9123 4567", country("ID")).as_deref(), Some("+6591234567"));
        assert_eq!(to_e164("+1 202-555-0173", country("ID")).as_deref(), Some("+12025550173"));
    }

    #[test]
    fn what_is_not_valid_stays_as_it_came() {
        let bad = [
            "12",
            "0812",
            "call me",
            "0812-3456-7890 ext 5",
            "081234567890 / 081298765432",
            "WA: 081234567890",
            "-",
            "+",
            "0000000000",
            "99999999999999999999999",
        ];
        for raw in bad {
            assert_eq!(normalize(raw, country("ID")), raw, "{raw}");
        }
        assert_eq!(normalize("  call me ", country("ID")), "call me");
    }

    #[test]
    fn countries_are_iso_codes() {
        assert_eq!(country("id"), country("ID"));
        assert_eq!(country("ID").to_string(), "ID");
        for code in ["", "I", "IDN", "XX", "é", "00", "Indonesia"] {
            assert!(code.parse::<Country>().is_err(), "{code}");
        }
    }

    proptest! {
        #[test]
        fn normalizing_twice_changes_nothing(raw in "\\PC{0,40}", at in 0..4_usize) {
            let country = country(["ID", "US", "IT", "AR"][at]);
            let once = normalize(&raw, country);
            prop_assert_eq!(normalize(&once, country), once);
        }

        #[test]
        fn normalizing_digits_twice_changes_nothing(raw in "[+]?[0-9 ().-]{3,18}", at in 0..6_usize) {
            let country = country(["ID", "US", "IT", "AR", "BR", "MX"][at]);
            let once = normalize(&raw, country);
            prop_assert_eq!(normalize(&once, country), once);
        }
    }
}
