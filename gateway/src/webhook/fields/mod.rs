//! Reading a few top-level fields of a JSON object, and skipping the rest without copying it: a
//! member's `data` may be megabytes of photo.

mod lenient;
mod object;

pub(crate) use self::object::{Field, Fields};

impl<'body> Fields<'body> {
    /// Reads a body; none where it is not one JSON object in UTF-8, numbers that are none allowed in
    /// what is skipped.
    pub(crate) fn read(body: &'body [u8]) -> Option<Self> {
        // What is skipped is not looked at for its encoding, hence this first.
        let text = std::str::from_utf8(body).ok()?;
        serde_json::from_str(text).ok().or_else(|| lenient::read(text))
    }
}
