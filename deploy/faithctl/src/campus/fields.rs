//! `faithctl campus discover-fields`

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use clap::Args;
use core_api::{SessionError, Sessions};
use database::Pool;
use member::CoreMember;
use serde::{Serialize, Serializer};
use serde_json::Value;
use store::PostgresTokens;

use super::{CampusCore, CampusId, connection::core_client, login};
use crate::{
    environment::Environment,
    output::{self, Column},
};

/// Members of the list that are looked at.
const ROWS: u32 = 100;
/// Of these, members that are asked for by id: newer cores leave fields out of the list.
const SINGLES: usize = 10;
const SAMPLES: usize = 3;
/// A sample longer than this is a photo or a document.
const LONGEST: usize = 40;

/// Lists the fields of the core's members with type and sample values, for writing filters.
///
/// Looks at up to 100 members of the list and at ten of them by id.
#[derive(Debug, Args)]
#[command(after_help = "The samples are data of real members: mind who sees them.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    campus: CampusId,
    /// Print a JSON array of objects
    #[arg(long)]
    json: bool,
}

/// A field as the members have it.
#[derive(Debug, Default, Serialize)]
struct Field {
    #[serde(rename = "field")]
    name: String,
    #[serde(rename = "type", serialize_with = "joined")]
    kinds: BTreeSet<&'static str>,
    samples: Vec<Value>,
    /// Whether the list has it too: a filter on a field that it leaves out costs the reconciler
    /// a request for each member it has not seen before.
    in_list: bool,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let sealer = environment.sealer()?;
    let allowed = environment.allowed_hosts()?;
    let database = environment.database()?;
    let client = database.connect().await?.client;
    let core = CampusCore::load(&client, &sealer, &allowed, arguments.campus.id).await?;
    let tokens = Arc::new(PostgresTokens::new(Pool::new(&database)?, sealer));
    let sessions = Sessions::new(core_client(environment)?, tokens);
    let session =
        sessions.of(core.config.id, core.config.version, &core.endpoint, &core.credentials);

    let explain = |error: SessionError<_>| match error {
        SessionError::Core(error) => login::explained(error, &core),
        other @ (SessionError::Store(_) | SessionError::Outdated) => other.into(),
    };
    let mut rows = session.page(0, ROWS, Vec::new).await.map_err(explain)?.rows;
    rows.retain(|row| row.church_id().is_none_or(|church| church == core.config.core_church_id));
    let mut fields = Fields::default();
    for row in &rows {
        fields.look(row, true);
    }
    for id in rows.iter().filter_map(CoreMember::id).take(SINGLES) {
        fields.look(&session.member(id).await.map_err(explain)?, false);
    }
    if rows.is_empty() {
        anyhow::bail!("the core's list has no member of this church to look at");
    }
    print(&fields.0.into_values().collect::<Vec<_>>(), arguments.json)
}

#[derive(Default)]
struct Fields(BTreeMap<String, Field>);

impl Fields {
    fn look(&mut self, member: &CoreMember, in_list: bool) {
        for (name, value) in member.fields() {
            let field = self.0.entry(name.to_owned()).or_default();
            name.clone_into(&mut field.name);
            if value.is_null() {
                continue;
            }
            field.kinds.insert(kind(value));
            field.in_list |= in_list;
            let sample = sample(value);
            if field.samples.len() < SAMPLES && !field.samples.contains(&sample) {
                field.samples.push(sample);
            }
        }
    }
}

fn print(fields: &[Field], json: bool) -> anyhow::Result<()> {
    let columns = [
        Column::new("field", |field: &Field| field.name.clone()),
        Column::new("type", |field| words(&field.kinds)),
        Column::new("in_list", |field| if field.in_list { "yes" } else { "no" }.to_owned()),
        Column::new("samples", |field| {
            let samples: Vec<String> = field.samples.iter().map(Value::to_string).collect();
            samples.join(", ")
        }),
    ];
    output::listing(fields, &columns, json)
}

/// `text`; `date or text`; `null` where no member has a value.
fn words(kinds: &BTreeSet<&'static str>) -> String {
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

    #[test]
    fn fields_gather_types_and_short_samples() {
        let mut fields = Fields::default();
        let listed: CoreMember = serde_json::from_value(
            json!({"id": "a", "date_of_birth": "1990-01-15", "city": null, "photo_base64": "x".repeat(500)}),
        )
        .unwrap();
        let single: CoreMember =
            serde_json::from_value(json!({"id": "a", "city": "Jakarta", "tags": ["x"]})).unwrap();
        fields.look(&listed, true);
        fields.look(&single, false);
        let field = |name: &str| &fields.0[name];
        assert_eq!(field("id").samples, [json!("a")]);
        assert!(field("date_of_birth").kinds.contains("date"));
        assert_eq!(
            (field("city").in_list, field("city").samples.clone()),
            (false, vec![json!("Jakarta")])
        );
        assert_eq!(field("photo_base64").samples, [json!("(500 characters)")]);
        assert!(field("tags").kinds.contains("list"));
    }
}
