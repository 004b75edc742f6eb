//! What becomes of the rows of a page.

use member::CoreMember;

use super::keys::Keys;

/// Takes the rows of a page, one after the other. If the page turns out to be broken, what was made of its
/// rows until then is dropped.
pub trait Rows {
    /// What it wants to see of a row.
    fn keys(&self) -> &Keys;

    /// Takes a row, which is another one afterwards, and may lack an id.
    fn take(&mut self, row: &CoreMember);
}

/// Rows as they are, with every key.
impl Rows for Vec<CoreMember> {
    fn keys(&self) -> &Keys {
        &Keys::ALL
    }

    fn take(&mut self, row: &CoreMember) {
        self.push(row.clone());
    }
}
