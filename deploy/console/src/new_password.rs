//! A password that somebody chooses.

use crate::{
    weak_password::{SHORTEST, Weakness, weakness},
    words::Language,
};

/// As it was typed, twice.
pub(crate) struct NewPassword<'a> {
    pub(crate) password: &'a str,
    pub(crate) again: &'a str,
    /// Whose it is to be.
    pub(crate) login: &'a str,
}

/// Why it is not taken, in words.
pub(crate) fn problem_of(new: &NewPassword<'_>, language: Language) -> Option<String> {
    if let Some(weakness) = weakness(new.password, new.login) {
        let shortest = i64::try_from(SHORTEST).unwrap_or(i64::MAX);
        return Some(match weakness {
            Weakness::TooShort => language.counted("password-too-short", shortest),
            Weakness::TooLong => language.t("password-too-long"),
            Weakness::Common => language.t("password-common"),
        });
    }
    (new.password != new.again).then(|| language.t("password-differs"))
}
