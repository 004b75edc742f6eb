//! Some rows of the list, kept to be compared with what the core says of the same members by id. A
//! field that differs there is missing in the list, even where it seems to be there.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, RandomState},
};

use core_api::Keys;
use member::{CoreMember, Filter};
use serde_json::Value;

use crate::{core_retry::Core, list::coverage::is_empty};

/// How many are asked for.
const KEPT: usize = 5;

/// Rows of a list, or of a page of it: other ones in each run.
#[derive(Debug, Clone)]
pub(crate) struct RowSamples {
    order: RandomState,
    /// Those that come first in an order of no meaning.
    kept: BTreeMap<u64, RowSample>,
}

/// What the list says of a member.
#[derive(Debug, Clone)]
struct RowSample {
    member: String,
    updated_at: Option<Value>,
    /// By the filter's fields, in their order.
    values: Vec<Option<Value>>,
}

impl RowSamples {
    pub(crate) fn new() -> Self {
        Self { order: RandomState::new(), kept: BTreeMap::new() }
    }

    /// None yet, in the same order.
    pub(crate) fn begin(&self) -> Self {
        Self { order: self.order.clone(), kept: BTreeMap::new() }
    }

    /// Keeps a row of the campus's church, if it comes before others.
    pub(crate) fn offer(&mut self, row: &CoreMember, filter: &Filter) {
        let Some(member) = row.id().filter(|_| !filter.is_empty() && !row.is_deleted()) else {
            return;
        };
        let place = self.order.hash_one(member);
        if self.kept.len() >= KEPT
            && self.kept.last_key_value().is_some_and(|(last, _)| place >= *last)
        {
            return;
        }
        let values = filter.fields().iter().map(|field| row.get(field).cloned()).collect();
        let updated_at = row.get("updated_at").cloned();
        self.keep(place, RowSample { member: member.to_owned(), updated_at, values });
    }

    pub(crate) fn merge(&mut self, page: Self) {
        for (place, sample) in page.kept {
            self.keep(place, sample);
        }
    }

    fn keep(&mut self, place: u64, sample: RowSample) {
        self.kept.insert(place, sample);
        while self.kept.len() > KEPT {
            self.kept.pop_last();
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.kept.len() as u64
    }

    /// Asks for each by id and answers the fields of the filter that have other values there. Whoever cannot be
    /// asked, or was changed since, shows nothing.
    pub(crate) async fn contradicted<'a>(
        &self,
        core: &Core,
        filter: &'a Filter,
    ) -> BTreeSet<&'a str> {
        let fields = filter.fields();
        let keys = Keys::only(["id", "updated_at"].into_iter().chain(fields.iter().copied()));
        let mut contradicted = BTreeSet::new();
        for sample in self.kept.values() {
            let Ok(single) = core.member(&sample.member, &keys).await else {
                continue;
            };
            contradicted.extend(sample.contradictions(&single, &fields));
        }
        contradicted
    }
}

impl RowSample {
    fn contradictions<'a>(&self, single: &CoreMember, fields: &[&'a str]) -> Vec<&'a str> {
        let said = |value: Option<&Value>| value.filter(|value| !is_empty(value)).cloned();
        let (before, now) = (said(self.updated_at.as_ref()), said(single.get("updated_at")));
        if before.is_some() && now.is_some() && before != now {
            return Vec::new();
        }
        fields
            .iter()
            .zip(&self.values)
            .filter(|(field, listed)| said(listed.as_ref()) != said(single.get(field)))
            .map(|(field, _)| *field)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(value: Value) -> CoreMember {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_few_rows_are_kept_and_compared_field_by_field() {
        let rules = json!([
            {"field": "a", "operator": "is_true", "value": ""},
            {"field": "b", "operator": "is_true", "value": ""},
        ]);
        let filter = Filter::parse("include", &rules).unwrap();
        let mut list = RowSamples::new();
        for page in 0..3 {
            let mut samples = list.begin();
            for number in 0..20 {
                let id = format!("{page}-{number}");
                samples.offer(
                    &row(json!({"id": id, "a": true, "b": null, "updated_at": "1"})),
                    &filter,
                );
            }
            list.merge(samples);
        }
        assert_eq!(list.number(), KEPT as u64);
        let sample = list.kept.values().next().unwrap();
        let fields = filter.fields();
        let differ = |single: Value| sample.contradictions(&row(single), &fields);
        assert_eq!(differ(json!({"a": true, "b": [], "updated_at": "1"})), Vec::<&str>::new());
        assert_eq!(differ(json!({"a": false, "b": null, "updated_at": "1"})), ["a"]);
        assert_eq!(differ(json!({"a": false, "b": true})), ["a", "b"]);
        assert_eq!(differ(json!({"a": false, "b": true, "updated_at": "2"})), Vec::<&str>::new());
    }
}
