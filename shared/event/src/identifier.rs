//! What counts as an identifier from outside (interface §2). Bytes, not characters, are counted.

const MAX_IDENTIFIER_BYTES: usize = 128;
const MAX_EVENT_TYPE_BYTES: usize = 64;

/// Whether `text` can name a member. `.` and `..` would change the path of a request to the core
/// even percent-encoded, since URL parsers resolve `%2e` too; a NUL cannot be stored in Postgres.
pub fn is_member_id(text: &str) -> bool {
    is_event_id(text) && text != "." && text != ".."
}

/// Whether `text` can identify an event.
pub fn is_event_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_IDENTIFIER_BYTES && !text.chars().any(char::is_control)
}

/// Whether `text` can be a type of event. Control characters are left to the sender, but for NUL,
/// which Postgres cannot store.
pub fn is_event_type(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_EVENT_TYPE_BYTES && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_ids_are_short_printable_and_no_path() {
        for good in
            ["8655d76b-9be0-4681-bd2c-35cd5e09a809", "...", "a/b?c#d", "李", &"x".repeat(128)]
        {
            assert!(is_member_id(good), "{good}");
        }
        for bad in ["", ".", "..", "a\nb", "a\0", "\u{85}", &"x".repeat(129), &"李".repeat(43)] {
            assert!(!is_member_id(bad), "{bad:?}");
        }
    }

    #[test]
    fn an_event_may_be_called_by_a_dot_and_its_type_has_64_bytes() {
        assert!(is_event_id(".") && is_event_id(".."));
        assert!(is_event_type(&"x".repeat(64)) && is_event_type("a\nb"));
        for bad in ["", "a\0", &"x".repeat(65)] {
            assert!(!is_event_type(bad), "{bad:?}");
        }
    }
}
