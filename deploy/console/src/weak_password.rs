//! Passwords that are tried first.

/// At least so many characters.
pub(crate) const SHORTEST: usize = 12;

/// No argon2 for a novel.
pub(crate) const LONGEST: usize = 512;

/// What the commonest passwords are made of, in English and Indonesian, and what somebody would try here. Longer ones come
/// before their parts.
const COMMON: &[&str] = &[
    "faithtracker",
    "faithflow",
    "administrator",
    "indonesia",
    "qwertyuiop",
    "asdfghjkl",
    "iloveyou",
    "liverpool",
    "bismillah",
    "superman",
    "football",
    "baseball",
    "princess",
    "sunshine",
    "password",
    "passw0rd",
    "trustno1",
    "starwars",
    "whatever",
    "changeme",
    "michelle",
    "jennifer",
    "computer",
    "internet",
    "rahasia",
    "merdeka",
    "jakarta",
    "bandung",
    "console",
    "operator",
    "welcome",
    "charlie",
    "letmein",
    "freedom",
    "michael",
    "mustang",
    "monkey",
    "dragon",
    "master",
    "shadow",
    "hunter",
    "killer",
    "ranger",
    "secret",
    "summer",
    "winter",
    "spring",
    "autumn",
    "ginger",
    "soccer",
    "batman",
    "andrew",
    "jordan",
    "thomas",
    "robert",
    "daniel",
    "joshua",
    "hannah",
    "qwerty",
    "qwertz",
    "azerty",
    "asdfgh",
    "zxcvbnm",
    "zxcvbn",
    "qazwsx",
    "1qaz2wsx",
    "admin",
    "viewer",
    "office",
    "gereja",
    "jemaat",
    "church",
    "member",
    "yesus",
    "jesus",
    "kristus",
    "christ",
    "tuhan",
    "allah",
    "sayang",
    "cinta",
    "kucing",
    "semangat",
    "sukses",
    "gembira",
    "love",
    "pass",
    "user",
    "test",
    "root",
    "login",
    "hello",
    "abcdefgh",
    "abcdef",
    "abcd",
    "abc",
    "qwe",
    "asd",
    "zxc",
    "aku",
    "kamu",
];

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weakness {
    TooShort,
    TooLong,
    /// Nothing of it is the operator's own.
    Common,
}

/// What is wrong with a password for this login.
pub(crate) fn weakness(password: &str, login: &str) -> Option<Weakness> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Some(Weakness::TooShort);
    }
    if length > LONGEST {
        return Some(Weakness::TooLong);
    }
    let mut rest = password.to_lowercase();
    let name = login.split('@').next().unwrap_or_default();
    for common in [login, name].into_iter().chain(COMMON.iter().copied()) {
        if !common.is_empty() {
            rest = rest.replace(common, "");
        }
    }
    // Digits and signs are what people add to a common word.
    let mut letters: Vec<char> = rest.chars().filter(|letter| letter.is_alphabetic()).collect();
    let own = letters.len();
    letters.sort_unstable();
    letters.dedup();
    let mut characters: Vec<char> = password.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    let is_random_enough = characters.len() >= 9 && own + 6 >= length.min(12);
    let is_own = own >= 4 && letters.len() >= 3;
    (characters.len() < 5 || !(is_own || is_random_enough)).then_some(Weakness::Common)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_first_is_not_taken() {
        for common in [
            "password1234",
            "Password123!",
            "123456789012",
            "qwertyuiop12",
            "iloveyou2026",
            "aaaaaaaaaaaa",
            "bismillah123",
            "admin1234567",
            "faithtracker1",
            "abababababab",
            "letmein12345",
            "ani@gkbj.org1",
            "111111111111",
            "qwerty123456",
            "GerejaJemaat1",
            "1qaz2wsx1qaz2wsx",
        ] {
            assert_eq!(weakness(common, "ani@gkbj.org"), Some(Weakness::Common), "{common}");
        }
        assert_eq!(weakness("kuda-laut", "ani"), Some(Weakness::TooShort));
        assert_eq!(weakness(&"kuda laut".repeat(100), "ani"), Some(Weakness::TooLong));
        for good in
            ["kuda laut ungu", "correct horse battery", "T7#qLm2!xVz9", "teh manis di sore hari"]
        {
            assert_eq!(weakness(good, "ani"), None, "{good}");
        }
    }
}
