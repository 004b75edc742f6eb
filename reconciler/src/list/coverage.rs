//! Which fields a list has. Newer cores leave some out: these come back null, or with the same default for
//! everybody, and only the single answer has what a member has (rule reconciler-2).

use std::hash::{DefaultHasher, Hash, Hasher};

use member::{CoreMember, Filter, PHOTO_BIT, SyncedColumn};
use serde_json::Value;

use crate::list::row::ListRow;

/// What every list has, though it may be the same for all its members.
const ALWAYS_PRESENT: [&str; 4] = ["id", "church_id", "is_active", "is_deleted"];

/// What the rows of a list, or of a page of it, have.
#[derive(Debug, Clone, Default)]
pub(crate) struct FieldCoverage {
    /// The columns in which some row has a value, by their bits.
    columns: i32,
    /// The filter's fields, in their order.
    fields: Vec<FieldValues>,
}

/// What was seen of a field.
#[derive(Debug, Clone, Copy, Default)]
struct FieldValues {
    /// What the first row has.
    first: Option<u64>,
    /// Whether another one has something else: then it is no default.
    varies: bool,
}

impl FieldCoverage {
    pub(crate) fn of(filter: &Filter) -> Self {
        Self { columns: 0, fields: vec![FieldValues::default(); filter.fields().len()] }
    }

    /// Looks at a row of the campus's church.
    pub(crate) fn look(&mut self, row: &CoreMember, filter: &Filter) {
        for (seen, field) in self.fields.iter_mut().zip(filter.fields()) {
            if !seen.varies {
                seen.add(Some(fingerprint(row.get(field))));
            }
        }
    }

    /// Looks at what a row becomes.
    pub(crate) fn look_at_columns(&mut self, row: &ListRow) {
        self.columns |= row.has_value;
    }

    pub(crate) fn merge(&mut self, page: &Self) {
        self.columns |= page.columns;
        for (seen, other) in self.fields.iter_mut().zip(&page.fields) {
            seen.add(other.first);
            seen.varies |= other.varies;
        }
    }

    /// The filter's fields that are the same, or nothing, for everybody in the list.
    pub(crate) fn missing<'a>(&self, filter: &'a Filter) -> Vec<&'a str> {
        let seen = self.fields.iter().map(|seen| seen.varies);
        let fields = filter.fields().into_iter().zip(seen);
        fields
            .filter(|(field, is_present)| !is_present && !ALWAYS_PRESENT.contains(field))
            .map(|(field, _)| field)
            .collect()
    }

    /// Whether there is a value in every column of somebody: a member can be created from its row alone.
    pub(crate) fn is_complete(&self) -> bool {
        // A photo may be at either of its places.
        let photo_url = SyncedColumn::named("photo_url").map_or(0, |column| column.presence_bit);
        let bits = SyncedColumn::compared().fold(0, |bits, column| bits | column.presence_bit);
        let all = bits & !photo_url;
        self.columns & all == all && self.columns & (PHOTO_BIT | photo_url) != 0
    }
}

impl FieldValues {
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
    match value.filter(|value| !is_empty(value)) {
        None => 0,
        Some(value) => {
            let mut hasher = DefaultHasher::new();
            value.to_string().hash(&mut hasher);
            hasher.finish()
        }
    }
}

/// What lists send in a field that they leave out.
pub(crate) fn is_empty(value: &Value) -> bool {
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
    fn a_field_that_is_the_same_for_everybody_is_missing() {
        let rules: Vec<Value> = ["varies", "empty", "default", "sometimes", "is_active"]
            .map(|field| json!({"field": field, "operator": "is_true"}))
            .to_vec();
        let filter = Filter::parse("include", &json!(rules)).unwrap();
        let rows = [
            json!({"varies": "a", "empty": null, "default": true, "sometimes": null, "is_active": true}),
            json!({"varies": "b", "empty": [], "default": true, "is_active": true}),
            json!({"varies": "a", "empty": "", "default": true, "sometimes": "x", "is_active": true}),
        ];
        let mut list = FieldCoverage::of(&filter);
        // However the rows are spread over pages.
        for row in rows {
            let mut page = FieldCoverage::of(&filter);
            page.look(&serde_json::from_value(row).unwrap(), &filter);
            list.merge(&page);
        }
        assert_eq!(list.missing(&filter), ["empty", "default"]);
    }
}
