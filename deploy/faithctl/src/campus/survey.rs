//! A look at the core's members: which fields they have, where, and with which values.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use campus::Sealer;
use core_api::{Session, SessionError, Sessions, Silence, TokenStore, Window, gather};
use database::Pool;
use member::CoreMember;
use serde::{Serialize, Serializer};
use serde_json::Value;
use store::PostgresTokens;

use super::{CampusCore, connection::core_client};
use crate::environment::Environment;

/// Members of the list that are looked at.
const ROWS: u32 = 100;
/// Of these, members that are asked for by id: newer cores leave fields out of the list.
const SINGLES: usize = 10;
/// Until so many answer, so many are asked for.
const TRIES: usize = 15;
const SAMPLES: usize = 3;
/// Distinct values that are shown, the most frequent ones.
pub(super) const VALUES: usize = 20;
/// A value longer than this is a photo or a document.
const LONGEST: usize = 40;

/// The fields by their names.
#[derive(Default)]
pub(super) struct Survey {
    fields: BTreeMap<String, Field>,
    /// How many members of the campus's church were looked at.
    pub(super) members: usize,
}

/// A field as the members have it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Field {
    #[serde(rename = "field")]
    pub(super) name: String,
    #[serde(rename = "type", serialize_with = "joined")]
    pub(super) kinds: BTreeSet<&'static str>,
    pub(super) samples: Vec<Value>,
    /// The most frequent ones.
    pub(super) values: Vec<Counted>,
    /// How many there are, of all that were looked at.
    pub(super) distinct: usize,
    /// Whether the list has it too, with the values that the members have by id: a filter on another field
    /// costs the reconciler a request for each member that it has not seen before.
    pub(super) in_list: bool,
    #[serde(skip)]
    counts: BTreeMap<String, u64>,
    /// Whether the list says something else than the id.
    #[serde(skip)]
    is_contradicted: bool,
}

/// A value, and how many members have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Counted {
    pub(super) value: Value,
    pub(super) count: u64,
}

/// The campus's way to its core, with the token that all programs share.
pub(super) fn session(
    core: &CampusCore,
    sealer: Sealer,
    environment: &Environment,
) -> anyhow::Result<Arc<Session<PostgresTokens>>> {
    session_with(tokens(sealer, environment)?, core, environment)
}

/// The tokens that all programs share.
pub(super) fn tokens(sealer: Sealer, environment: &Environment) -> anyhow::Result<PostgresTokens> {
    Ok(PostgresTokens::new(Pool::new(&environment.database()?)?, sealer))
}

/// The campus's way to its core, with a token of `tokens`.
pub(super) fn session_with<S: TokenStore>(
    tokens: S,
    core: &CampusCore,
    environment: &Environment,
) -> anyhow::Result<Arc<Session<S>>> {
    let sessions = Sessions::new(core_client(environment)?, Arc::new(tokens));
    Ok(sessions.of(core.config.id, core.config.version, &core.endpoint, &core.credentials))
}

impl Survey {
    /// Looks at some members of the list, and at some of these by id.
    pub(super) async fn of<S: TokenStore>(
        core: &CampusCore,
        session: &Session<S>,
    ) -> Result<Self, SessionError<S::Error>> {
        let silence = Silence::default();
        let ask = |part: Window| session.page(part.skip, part.rows, Vec::new);
        // A row that the core cannot give is not looked at.
        let gathered = gather(Window { skip: 0, rows: ROWS }, &silence, ask).await?;
        let mut rows: Vec<CoreMember> =
            gathered.parts.into_iter().flat_map(|part| part.page.rows).collect();
        rows.retain(|row| {
            row.church_id().is_none_or(|church| church == core.config.core_church_id)
        });
        let mut singles = Vec::new();
        let mut failure = None;
        for id in rows.iter().filter_map(CoreMember::id).take(TRIES) {
            match session.member(id).await {
                Ok(single) => singles.push(single),
                Err(SessionError::Core(error)) => failure = Some(error),
                Err(error) => return Err(error),
            }
            if singles.len() >= SINGLES {
                break;
            }
        }
        // One that cannot be given says nothing of the others.
        if let Some(error) = failure.filter(|_| singles.is_empty()) {
            return Err(error.into());
        }
        Ok(Self::gather(&rows, &singles))
    }

    fn gather(rows: &[CoreMember], singles: &[CoreMember]) -> Self {
        let mut survey = Self { members: rows.len(), ..Self::default() };
        for single in singles {
            let row = rows.iter().find(|row| row.id() == single.id());
            for (name, value) in single.fields() {
                let listed = row.and_then(|row| row.get(name));
                let field = survey.field(name);
                field.is_contradicted |= listed.is_none_or(|listed| listed != value);
                field.look(value);
            }
        }
        for row in rows {
            let single = singles.iter().find(|single| single.id() == row.id());
            for (name, value) in row.fields() {
                let field = survey.field(name);
                field.in_list |= !value.is_null();
                // Of whom both are here, the id's word counts.
                if single.is_none() && !field.is_contradicted {
                    field.look(value);
                }
            }
        }
        for field in survey.fields.values_mut() {
            field.finish();
        }
        survey
    }

    fn field(&mut self, name: &str) -> &mut Field {
        let field = self.fields.entry(name.to_owned()).or_default();
        name.clone_into(&mut field.name);
        field
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Whether the list has the field, and with the values that the members have by id.
    pub(super) fn is_listed(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(|field| field.in_list)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    pub(super) fn into_fields(self) -> Vec<Field> {
        self.fields.into_values().collect()
    }
}

impl Field {
    fn look(&mut self, value: &Value) {
        if value.is_null() {
            return;
        }
        self.kinds.insert(kind(value));
        let sample = sample(value);
        *self.counts.entry(sample.to_string()).or_default() += 1;
        if self.samples.len() < SAMPLES && !self.samples.contains(&sample) {
            self.samples.push(sample);
        }
    }

    fn finish(&mut self) {
        self.in_list &= !self.is_contradicted;
        self.distinct = self.counts.len();
        let mut values: Vec<Counted> = std::mem::take(&mut self.counts)
            .into_iter()
            .filter_map(|(value, count)| {
                Some(Counted { value: serde_json::from_str(&value).ok()?, count })
            })
            .collect();
        // Of values that are as frequent, in the order of the values.
        values.sort_by_key(|counted| std::cmp::Reverse(counted.count));
        values.truncate(VALUES);
        self.values = values;
    }
}

/// `text`; `date or text`; `null` where no member has a value.
pub(super) fn words(kinds: &BTreeSet<&'static str>) -> String {
    let kinds: Vec<&str> = kinds.iter().copied().collect();
    if kinds.is_empty() { "null".to_owned() } else { kinds.join(" or ") }
}

fn joined<S: Serializer>(kinds: &BTreeSet<&'static str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&words(kinds))
}

/// The type, with dates told from other text: filters compare them as dates.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(text) if is_date(text) => "date",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

fn is_date(text: &str) -> bool {
    text.get(..10).is_some_and(|date| date.parse::<chrono::NaiveDate>().is_ok())
}

fn sample(value: &Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > LONGEST => {
            Value::from(format!("({} characters)", text.chars().count()))
        }
        Value::Array(list) => Value::from(format!("({} entries)", list.len())),
        Value::Object(object) => Value::from(format!("({} keys)", object.len())),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn member(value: Value) -> CoreMember {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn fields_gather_types_and_values_with_counts() {
        let rows = [
            member(
                json!({"id": "a", "date_of_birth": "1990-01-15", "city": null, "gender": "Male",
                          "photo_base64": "x".repeat(500), "automated": true}),
            ),
            member(json!({"id": "b", "date_of_birth": null, "city": null, "gender": "Female",
                          "photo_base64": null, "automated": true})),
            member(json!({"id": "c", "date_of_birth": null, "city": null, "gender": "Female",
                          "photo_base64": null, "automated": true})),
        ];
        let singles = [member(json!({"id": "a", "date_of_birth": "1990-01-15", "city": "Jakarta",
            "gender": "Male", "photo_base64": "x".repeat(500), "automated": false, "tags": ["x"]}))];
        let survey = Survey::gather(&rows, &singles);
        let field = |name: &str| &survey.fields[name];
        assert_eq!(survey.members, 3);
        assert_eq!(field("id").samples, [json!("a"), json!("b"), json!("c")]);
        assert!(field("date_of_birth").kinds.contains("date") && field("date_of_birth").in_list);
        let counted = |value: Value, count| Counted { value, count };
        assert_eq!(
            field("gender").values,
            [counted(json!("Female"), 2), counted(json!("Male"), 1)]
        );
        assert_eq!(
            (field("city").in_list, &field("city").values[..]),
            (false, &[counted(json!("Jakarta"), 1)][..])
        );
        assert_eq!(field("photo_base64").samples, [json!("(500 characters)")]);
        assert!(field("tags").kinds.contains("list"));
        // What the list says of everybody is not what the members have.
        assert_eq!(
            (field("automated").in_list, &field("automated").values[..]),
            (false, &[counted(json!(false), 1)][..])
        );
    }

    #[test]
    fn of_many_values_the_most_frequent_are_kept() {
        let rows: Vec<CoreMember> = (0..60)
            .map(|number| member(json!({"id": number.to_string(), "n": number % 25 })))
            .collect();
        let survey = Survey::gather(&rows, &[]);
        let field = &survey.fields["n"];
        assert_eq!((field.distinct, field.values.len()), (25, VALUES));
        assert!(field.values.iter().take(10).all(|counted| counted.count == 3));
    }
}
