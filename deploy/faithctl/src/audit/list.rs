//! `faithctl audit list`

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::Value;
use store::{
    CampusReference,
    records::{AuditFilter, AuditRecord},
};

use crate::{
    campus::find_optional_campus,
    environment::Environment,
    listing, moment,
    output::{Column, Format},
};

/// Lists who changed what, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl audit list --since 7d\n  \
    faithctl audit list --action 'campus rotate-secret'\n  \
    faithctl audit list --action campus --campus 'GKBJ Kebon Jeruk' --limit 100")]
pub(crate) struct Arguments {
    /// Filter by who made the change, such as somebody@machine
    #[arg(long, value_name = "WHO")]
    who: Option<String>,
    /// Filter by command, such as 'campus set'; its first word means all that begin with it
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Filter by campus: its id, or its name where only one has it
    #[arg(long, value_name = "CAMPUS")]
    campus: Option<CampusReference>,
    /// Only changes since: so long ago (30m, 1h, 7d), or a time such as 2026-11-20T01:40:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    since: Option<DateTime<Utc>>,
    /// Only changes before: so long ago (30m, 1h, 7d), or a time such as 2026-11-20T01:40:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    until: Option<DateTime<Utc>>,
    /// Maximum number of rows
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    output: Format,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let filter = AuditFilter {
        who: arguments.who.clone(),
        action: arguments.action.clone(),
        campus: find_optional_campus(arguments.campus.as_ref(), &client).await?,
        since: arguments.since,
        until: arguments.until,
        after: None,
    };
    let entries = AuditRecord::list(&client, &filter, arguments.limit).await?;
    let columns = [
        Column::new("at", |entry: &AuditRecord| moment::show(entry.at)),
        Column::under("at", "who", who),
        Column::under("at", "campus_id", |entry| {
            entry.campus_id.map_or_else(|| "-".to_owned(), |campus| campus.to_string())
        }),
        Column::new("action", |entry| entry.action.clone()),
        Column::under("action", "result", |entry| entry.result.clone()),
        Column::under("at", "subject", |entry| shortened(in_words(&entry.subject))),
    ];
    listing::write("no change matches", &entries, &columns, arguments.output)?;
    Ok(())
}

/// No subject is shown at more length; the JSON has all of it.
const LONGEST: usize = 160;

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// `somebody@machine from 10.0.0.7`
fn who(entry: &AuditRecord) -> String {
    match &entry.address {
        Some(address) => format!("{} from {address}", entry.who),
        None => entry.who.clone(),
    }
}

/// `rate_limit: null → 50; error: …`: names and values, without the words that say what kind they are.
fn in_words(subject: &Value) -> String {
    let Some(parts) = subject.as_object() else { return subject.to_string() };
    let part = |(name, value): (&String, &Value)| match (name.as_str(), value) {
        ("options" | "changed", Value::Object(_)) => in_words(value),
        (_, Value::Object(change)) if change.contains_key("old") && change.contains_key("new") => {
            format!("{name}: {} → {}", text(&change["old"]), text(&change["new"]))
        }
        _ => format!("{name}: {}", text(value)),
    };
    let parts: Vec<String> = parts.iter().map(part).filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::in_words;

    #[test]
    fn a_subject_reads_as_names_and_values() {
        let subject = json!({"changed": {"rate_limit": {"old": null, "new": 50}}, "error": "no"});
        assert_eq!(in_words(&subject), "rate_limit: null → 50; error: no");
        assert_eq!(in_words(&json!({"options": {}})), "");
    }
}
