//! Which keys of a member are read.

/// Which keys of a member are wanted; the others count as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys(Option<Vec<Vec<String>>>);

impl Keys {
    /// Every key.
    pub const ALL: Self = Self(None);

    /// These keys. `id` has to be among them.
    pub fn only(keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut by_length: Vec<Vec<String>> = Vec::new();
        for key in keys.into_iter().map(Into::into) {
            if by_length.len() <= key.len() {
                by_length.resize(key.len() + 1, Vec::new());
            }
            by_length[key.len()].push(key);
        }
        Self(Some(by_length))
    }

    /// Forty keys of a row are asked about, and most of them only by their length.
    pub(crate) fn want(&self, key: &str) -> bool {
        let Some(by_length) = &self.0 else { return true };
        by_length.get(key.len()).is_some_and(|keys| keys.iter().any(|wanted| wanted == key))
    }
}
