//! What senders and people have chosen, as it can be shown: askama escapes what HTML would obey; what is not seen, or turns
//! text around, is written out here.

use runtime::text::is_deceptive;

/// Longer texts are cut.
const LONGEST: usize = 128;

/// The text, without what deceives, and not too long.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (place, character) in text.chars().enumerate() {
        if place == LONGEST {
            shown.push('…');
            break;
        }
        if character.is_control() || is_deceptive(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn nothing_is_hidden_and_nothing_is_endless() {
        assert_eq!(shown("Đặng 李 <b>"), "Đặng 李 <b>");
        assert_eq!(shown("a\u{202e}b\n"), "a\\u{202e}b\\u{a}");
        assert_eq!(shown(&"x".repeat(10_000)).chars().count(), 129);
    }
}
