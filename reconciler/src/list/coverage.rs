//! What a list tells. Newer cores leave fields out of it: these come back null, or with the same default for
//! everybody, and only the id tells what a member has.

use std::hash::{DefaultHasher, Hash, Hasher};

use member::{CoreMember, Filter};
use serde_json::Value;

use crate::list::row::{ListRow, spoken};

/// What every list tells, though all its members may have the same.
const ALWAYS_TOLD: [&str; 4] = ["id", "church_id", "is_active", "is_deleted"];

/// What the rows of a list, or of a page of it, tell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telling {
    /// The columns in which some row has a value, by their bits of [`spoken`].
    columns: i32,
    /// The filter's fields, in their order.
    fields: Vec<Told>,
}

/// What is told of a field.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// What the first row has.
    first: Option<u64>,
    /// Whether another one has something else: then it is no default.
    varies: bool,
}

impl Telling {
    pub(crate) fn of(filter: &Filter) -> Self {
        Self { columns: 0, fields: vec![Told::default(); filter.fields().len()] }
    }

    /// Looks at a row of the campus's church.
    pub(crate) fn look(&mut self, row: &CoreMember, filter: &Filter) {
        for (told, field) in self.fields.iter_mut().zip(filter.fields()) {
            if !told.varies {
                told.add(Some(fingerprint(row.get(field))));
            }
        }
    }

    /// Looks at what a row becomes.
    pub(crate) fn look_at_columns(&mut self, row: &ListRow) {
        self.columns |= row.filled;
    }

    pub(crate) fn merge(&mut self, page: &Self) {
        self.columns |= page.columns;
        for (told, other) in self.fields.iter_mut().zip(&page.fields) {
            told.add(other.first);
            told.varies |= other.varies;
        }
    }

    /// The filter's fields of which the list says the same, or nothing, of everybody.
    pub(crate) fn untold<'a>(&self, filter: &'a Filter) -> Vec<&'a str> {
        let told = self.fields.iter().map(|told| told.varies);
        let fields = filter.fields().into_iter().zip(told);
        fields
            .filter(|(field, is_told)| !is_told && !ALWAYS_TOLD.contains(field))
            .map(|(field, _)| field)
            .collect()
    }

    /// Whether there is a value in every column of somebody: a member can be created from its row alone.
    pub(crate) fn is_complete(&self) -> bool {
        let all =
            spoken::NAME | spoken::PHONE | spoken::GENDER | spoken::BIRTH_DATE | spoken::CATEGORY;
        self.columns & all == all && self.columns & (spoken::PHOTO | spoken::PHOTO_URL) != 0
    }
}

impl Told {
    fn add(&mut self, value: Option<u64>) {
        match (self.first, value) {
            (None, first) => self.first = first,
            (Some(first), Some(value)) => self.varies |= first != value,
            (Some(_), None) => {}
        }
    }
}

/// Of a value; nothing, in whatever form, is one.
fn fingerprint(value: Option<&Value>) -> u64 {
    match value.filter(|value| !is_nothing(value)) {
        None => 0,
        Some(value) => {
            let mut hasher = DefaultHasher::new();
            value.to_string().hash(&mut hasher);
            hasher.finish()
        }
    }
}

/// What lists send in a field that they leave out.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_that_is_the_same_for_everybody_is_not_told() {
        let rules: Vec<Value> = ["varies", "empty", "default", "sometimes", "is_active"]
            .map(|field| json!({"field": field, "operator": "is_true"}))
            .to_vec();
        let filter = Filter::parse("include", &json!(rules)).unwrap();
        let rows = [
            json!({"varies": "a", "empty": null, "default": true, "sometimes": null, "is_active": true}),
            json!({"varies": "b", "empty": [], "default": true, "is_active": true}),
            json!({"varies": "a", "empty": "", "default": true, "sometimes": "x", "is_active": true}),
        ];
        let mut list = Telling::of(&filter);
        // However the rows are spread over pages.
        for row in rows {
            let mut page = Telling::of(&filter);
            page.look(&serde_json::from_value(row).unwrap(), &filter);
            list.merge(&page);
        }
        assert_eq!(list.untold(&filter), ["empty", "default"]);
    }
}
