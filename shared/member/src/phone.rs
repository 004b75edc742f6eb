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
///
/// Digits that begin with the country's calling code are read internationally first: cores store numbers so,
/// and as national ones some would be other numbers that are valid too (`62811111111` in the area 62).
pub fn to_e164(raw: &str, country: Country) -> Option<String> {
    let number: String = raw.chars().filter(|c| !is_invisible(*c)).map(ascii_digit).collect();
    if number.len() > LONGEST_NUMBER || !number.chars().all(is_dialled) {
        return None;
    }
    if number.contains(['+', '＋']) {
        return valid(&number, country);
    }
    let international = with_plus(&number, country);
    international.and_then(|number| valid(&number, country)).or_else(|| valid(&number, country))
}

fn valid(number: &str, country: Country) -> Option<String> {
    let parsed = PhoneNumber::parse(number, Some(country.0)).ok()?;
    // An extension has no place in E.164; dropping it would lose what the person wrote.
    (parsed.is_valid() && parsed.extension.is_none())
        .then(|| parsed.format_as(PhoneNumberFormat::E164).into_owned())
}

/// Ways to write a number without a plus as one for every country: `62812…`, as FaithFlow stores and messengers
/// show Indonesian numbers, and `0062812…`, the international prefix of most of the world.
fn with_plus(number: &str, country: Country) -> Option<String> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    if let Some(international) = digits.strip_prefix("00") {
        return Some(format!("+{international}"));
    }
    let calling_code = PHONE_NUMBER_UTIL.get_country_code_for_region(country.0)?;
    digits.starts_with(&calling_code.to_string()).then(|| format!("+{digits}"))
}

/// Full-width and Arabic digits as the ones that are dialled.
fn ascii_digit(c: char) -> char {
    let zero = match c {
        '\u{ff10}'..='\u{ff19}' => 0xff10,
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        _ => return c,
    };
    char::from_digit(u32::from(c) - zero, 10).unwrap_or(c)
}

/// Digits and the signs people group them with. The library would skip over letters, a second number after a
/// slash, or an extension, and so make another number of it.
fn is_dialled(c: char) -> bool {
    c.is_ascii_digit()
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
            "６２８１２３４５６７８９０",
            "٠٨١٢٣٤٥٦٧٨٩٠",
            "۰۸۱۲۳۴۵۶۷۸۹۰",
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
    fn what_begins_with_the_calling_code_is_no_national_number() {
        let indonesian = [
            ("62811111111", "+62811111111"),
            ("62215701234", "+62215701234"),
            ("62361225678", "+62361225678"),
            ("62 361 225678", "+62361225678"),
            ("0811-111-111", "+62811111111"),
            ("0361 225678", "+62361225678"),
            ("+1 650 253 0000", "+16502530000"),
        ];
        for (raw, expected) in indonesian {
            assert_eq!(to_e164(raw, country("ID")).as_deref(), Some(expected), "{raw}");
        }
        assert_eq!(normalize("6281", country("ID")), "6281");
    }

    #[test]
    fn digits_of_a_whole_number_are_that_number_in_its_own_country() {
        let numbers = [
            ("ID", "+62811111111"),
            ("SG", "+6563123456"),
            ("MY", "+60321234567"),
            ("PH", "+639171234567"),
            ("AU", "+61412345678"),
            ("NL", "+31612345678"),
            ("DE", "+4915123456789"),
            ("IN", "+919123456789"),
            ("BR", "+5511961234567"),
            ("US", "+16502530000"),
            ("RU", "+79123456789"),
        ];
        for (code, number) in numbers {
            let digits = number.trim_start_matches('+');
            assert_eq!(to_e164(digits, country(code)).as_deref(), Some(number), "{code}");
        }
        // A national number that merely begins like that, and is none with a plus before it.
        assert_eq!(to_e164("9123456789", country("IN")).as_deref(), Some("+919123456789"));
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
    fn a_number_with_64_characters_is_one_and_a_longer_one_is_kept() {
        let spread = |length: usize| format!("0812{}34567890", " ".repeat(length - 12));
        assert_eq!(normalize(&spread(64), country("ID")), "+6281234567890");
        assert_eq!(normalize(&spread(65), country("ID")), spread(65));
        assert_eq!(normalize("(012) 345 [67]", country("ID")), "(012) 345 [67]");
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
