//! Text from outside on a terminal: characters that are not seen, or that turn the text around.

use std::{borrow::Cow, fmt::Write};

/// Whether a character is not seen or changes the order of others, so that what is shown is not what
/// is written: <https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing>.
pub fn is_deceptive(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        // Zero width, left-to-right and right-to-left marks.
        | '\u{200b}'..='\u{200f}'
        // Line and paragraph separators, embeddings and overrides.
        | '\u{2028}'..='\u{202e}'
        // Invisible operators, isolates, deprecated format characters.
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// The same text with these characters written out.
pub fn escape_deceptive(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_deceptive(character) {
            escaped.extend(character.escape_unicode());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Adds a character as JSON writes it in ASCII: `\u202e`, two of these beyond the first plane.
pub fn push_json_escape(text: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        // Writing into memory has no way to fail.
        write!(text, "\\u{unit:04x}").ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_is_written() {
        for plain in ["Đặng 李", "\u{1b}[2mdim\u{1b}[0m", "a\nb", "🙂", "né"] {
            assert_eq!(escape_deceptive(plain), plain);
        }
        assert_eq!(escape_deceptive("a\u{202e}b\u{2066}c\u{200b}"), r"a\u{202e}b\u{2066}c\u{200b}");
    }
}
