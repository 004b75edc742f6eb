//! A second look at what is no JSON, for the one thing that is let pass: `NaN`, `Infinity` and
//! `-Infinity`, as Python writes them, in what is skipped. It copies nothing; what is open is kept
//! on the heap, so that depth is no matter here either.

use super::object::{Field, Fields, string};

/// Reads an object; none where it is no JSON for another reason.
pub(super) fn read(text: &str) -> Option<Fields<'_>> {
    let mut scanner = Scanner { text, at: 0 };
    let mut fields = Fields::default();
    scanner.take(b'{')?;
    if scanner.peek() == Some(b'}') {
        scanner.at += 1;
        return scanner.is_at_end().then_some(fields);
    }
    loop {
        let key = scanner.key()?;
        scanner.blank();
        let begin = scanner.at;
        match string(key).and_then(|key| fields.named(&key)) {
            Some(field) => {
                scanner.value(Numbers::Json)?;
                *field = Field(text.get(begin..scanner.at));
            }
            None => scanner.value(Numbers::Python)?,
        }
        match scanner.next()? {
            b',' => {}
            b'}' => return scanner.is_at_end().then_some(fields),
            _ => return None,
        }
    }
}

/// Which numbers a value may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Json,
    /// Those that are none too.
    Python,
}

struct Scanner<'text> {
    text: &'text str,
    at: usize,
}

impl<'text> Scanner<'text> {
    /// The byte at hand.
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        self.blank();
        self.byte()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// A key with its quotes, and the colon after it.
    fn key(&mut self) -> Option<&'text str> {
        self.blank();
        let begin = self.at;
        self.string()?;
        let key = self.text.get(begin..self.at)?;
        self.take(b':')?;
        Some(key)
    }

    /// Skips one value.
    fn value(&mut self, numbers: Numbers) -> Option<()> {
        // The brackets that are still to come.
        let mut open = Vec::new();
        loop {
            let begun = match self.peek()? {
                b'[' => Some(b']'),
                b'{' => Some(b'}'),
                b'"' => {
                    self.string()?;
                    None
                }
                _ => {
                    self.scalar(numbers)?;
                    None
                }
            };
            if let Some(closing) = begun {
                self.at += 1;
                if self.peek()? == closing {
                    self.at += 1;
                } else {
                    open.push(closing);
                    if closing == b'}' {
                        self.key()?;
                    }
                    continue;
                }
            }
            // Behind a value: the next one, or the end of what it is in.
            loop {
                let Some(closing) = open.last().copied() else { return Some(()) };
                match self.next()? {
                    b',' if closing == b'}' => {
                        self.key()?;
                        break;
                    }
                    b',' => break,
                    byte if byte == closing => open.pop(),
                    _ => return None,
                };
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        if self.byte()? != b'"' {
            return None;
        }
        self.at += 1;
        loop {
            match self.byte()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => {
                    let escape = *self.text.as_bytes().get(self.at + 1)?;
                    self.at += 2;
                    match escape {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => {
                            let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
                            if !digits.iter().all(u8::is_ascii_hexdigit) {
                                return None;
                            }
                            self.at += 4;
                        }
                        _ => return None,
                    }
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
    }

    /// A number or a word.
    fn scalar(&mut self, numbers: Numbers) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let words: &[&str] = match numbers {
            Numbers::Json => &["null", "true", "false"],
            Numbers::Python => &["null", "true", "false", "NaN", "Infinity", "-Infinity"],
        };
        if let Some(word) = words.iter().find(|word| rest.starts_with(**word)) {
            self.at += word.len();
            return Some(());
        }
        self.number()
    }

    fn number(&mut self) -> Option<()> {
        if self.byte()? == b'-' {
            self.at += 1;
        }
        if self.byte()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let begin = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > begin).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_that_are_none_are_skipped_and_nothing_else_is_let_pass() {
        for body in [
            r#"{"data":NaN,"church_id":"a"}"#,
            r#" { "data" : [ -Infinity , {"x":Infinity,"y":[NaN]} ] , "church_id" : "a" } "#,
            r#"{"data":"NaN","church_id":"b","church_id":"a","x":NaN}"#,
        ] {
            assert_eq!(read(body).unwrap().church_id, Field(Some("\"a\"")), "{body}");
            assert_eq!(Fields::read(body.as_bytes()), read(body), "{body}");
        }
        for body in [
            r#"{"church_id":NaN}"#,
            r#"{"church_id":[Infinity],"data":NaN}"#,
            r#"{"data":nan}"#,
            r#"{"data":-NaN}"#,
            r#"{"data":+Infinity}"#,
            r#"{"data":NaNs}"#,
            r#"{"data":Infinity1}"#,
            r#"{"data":NaN,}"#,
            r#"{"data":[NaN,]}"#,
            r#"{"data":[NaN}}"#,
            r"{NaN:1}",
            r#"{"data":NaN} x"#,
            r"[NaN]",
            "NaN",
        ] {
            assert_eq!(Fields::read(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn depth_is_no_matter() {
        let (open, closed) = ("[".repeat(1_000_000), "]".repeat(1_000_000));
        let body = format!(r#"{{"data":{open}NaN{closed},"church_id":"a"}}"#);
        assert_eq!(read(&body).unwrap().church_id, Field(Some("\"a\"")));
    }

    fn text() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            " ",
            "\n",
            "\"a\"",
            "\"church_id\"",
            "\"data\"",
            "1",
            "-0",
            "0",
            "1.5",
            "-2e+7",
            "01",
            "1.",
            ".5",
            "e",
            "null",
            "true",
            "false",
            "\"",
            "\\",
            "\"\\u00e9\"",
            "\"\\x\"",
            "é",
            "x",
            "\u{0}",
            "{\"church_id\":",
            "\"data\":[",
        ]);
        prop::collection::vec(pieces, 0..14).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// It takes what serde_json takes, reads the same of it, and takes nothing more.
        #[test]
        fn without_such_numbers_it_agrees_with_json(body in text(), wrap in any::<bool>()) {
            let body = if wrap { format!("{{\"data\":{body},\"church_id\":\"a\"}}") } else { body };
            prop_assert_eq!(read(&body), serde_json::from_str(&body).ok(), "{}", body);
        }

        /// A number that is none is taken where a null is.
        #[test]
        fn such_numbers_are_taken_where_null_is(body in text(), index in 0_usize..3) {
            let number = ["NaN", "Infinity", "-Infinity"][index];
            let body = format!("{{\"data\":{body},\"x\":\"a\"}}");
            let replaced = body.replace("null", number);
            let is_json = serde_json::from_str::<Fields<'_>>(&body).is_ok();
            if !body.contains("church_id") {
                prop_assert_eq!(read(&replaced).is_some(), is_json, "{}", replaced);
            }
        }
    }
}
