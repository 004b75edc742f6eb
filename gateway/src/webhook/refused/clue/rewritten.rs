//! JSON as other programs would have written it: the same values in the same order.

use runtime::text::push_json_escape;

/// The blanks of a writer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spaces {
    /// None, as JavaScript writes.
    None,
    /// One after each comma and colon, as Python writes.
    AfterPunctuation,
}

/// What a writer escapes in strings.
#[derive(Debug, Clone, Copy)]
pub(super) enum Escapes {
    /// What must be.
    Few,
    /// All that is not printable ASCII, as Python does.
    Ascii,
}

/// Writes JSON anew; none where a string in it is none. Numbers and names stay as they are.
pub(super) fn rewritten(json: &str, spaces: Spaces, escapes: Escapes) -> Option<String> {
    let blank = match spaces {
        Spaces::None => "",
        Spaces::AfterPunctuation => " ",
    };
    let mut written = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(next) = rest.chars().next() {
        let mut length = next.len_utf8();
        match next {
            '"' => {
                let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                let string = serde_json::to_string(&strings.next()?.ok()?).ok()?;
                length = strings.byte_offset();
                match escapes {
                    Escapes::Few => written.push_str(&string),
                    Escapes::Ascii => push_ascii(&mut written, &string),
                }
            }
            ' ' | '\t' | '\n' | '\r' => {}
            ',' | ':' => {
                written.push(next);
                written.push_str(blank);
            }
            other => written.push(other),
        }
        rest = rest.get(length..)?;
    }
    Some(written)
}

fn push_ascii(written: &mut String, text: &str) {
    for character in text.chars() {
        if matches!(character, ' '..='~') {
            written.push(character);
        } else {
            push_json_escape(written, character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_and_escapes_change_and_nothing_else() {
        let pretty =
            "{\r\n\t\"a , b:\\u00e9\\n\\\"\" : [1.50, NaN , null ],\n \"z\":\"\u{1f600}\" }\n";
        let write = |spaces, escapes| rewritten(pretty, spaces, escapes).unwrap();
        assert_eq!(
            write(Spaces::None, Escapes::Few),
            "{\"a , b:é\\n\\\"\":[1.50,NaN,null],\"z\":\"\u{1f600}\"}"
        );
        assert_eq!(
            write(Spaces::AfterPunctuation, Escapes::Ascii),
            r#"{"a , b:\u00e9\n\"": [1.50, NaN, null], "z": "\ud83d\ude00"}"#
        );
    }

    #[test]
    fn what_holds_no_text_is_not_written() {
        for broken in [r#"{"a":"\ud800"}"#, r#"{"a"#, "{\"a\":\"\\x\"}"] {
            assert_eq!(rewritten(broken, Spaces::None, Escapes::Few), None);
        }
    }
}
