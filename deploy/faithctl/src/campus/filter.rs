//! `faithctl campus set-filter` and `clear-filter`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use database::DatabaseError;
use member::{Filter, filter::operator_names};
use serde_json::{Value, json};

use super::{CampusId, id::unknown, known_fields};
use crate::{
    environment::Environment,
    failure::{UsageError, say},
    input,
};

/// Chooses which of the core's members a campus has.
#[derive(Debug, Args)]
#[command(after_help = rules_help())]
pub(crate) struct Set {
    #[command(flatten)]
    campus: CampusId,
    /// What happens to those who match all rules: kept, and nobody else; or dropped, and nobody else
    #[arg(long)]
    mode: Mode,
    /// File with a JSON list of rules; `-` reads stdin
    #[arg(long, value_name = "FILE.json")]
    rules: PathBuf,
    /// Save the rules although no member of the core has a field that they name
    #[arg(long)]
    force: bool,
}

/// How rules are written, with the operators that there are.
fn rules_help() -> String {
    let operators = operator_names().join(", ");
    format!(
        r#"A rule is {{"field", "operator", "value"}}; a member matches where all rules do.
Operators: {operators}.
A field whose name contains "birth" is compared by age, or with a date by equals, not_equals, in and not_in.
Rules name top-level fields; `faithctl campus discover-fields` lists them. The core is asked whether its
members have them: one that none has is refused, unless --force. If the core cannot be asked, a warning says so.

rules.json, for women between 18 and 35:
  [{{"field": "gender", "operator": "equals", "value": "Female"}},
   {{"field": "date_of_birth", "operator": "between", "value": [18, 35]}}]

Members that the filter no longer keeps are archived when their next event comes, or by the next
reconciliation; those that it keeps again are unarchived the same way.

Example:
  faithctl campus set-filter 0195f2d0-7c5e-7d0a-9d3f-0b6f2f6a1c11 --mode include --rules rules.json"#
    )
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// Keep those who match all rules
    Include,
    /// Drop those who match all rules
    Exclude,
}

/// Removes a campus's filter: it has all of the core's members.
#[derive(Debug, Args)]
pub(crate) struct Clear {
    #[command(flatten)]
    campus: CampusId,
}

pub(super) async fn set(arguments: &Set, environment: &Environment) -> anyhow::Result<()> {
    let mode = match arguments.mode {
        Mode::Include => "include",
        Mode::Exclude => "exclude",
    };
    let rules = input::json_from(&arguments.rules).await?;
    let filter = Filter::parse(mode, &rules).map_err(|error| UsageError::new(error.to_string()))?;
    if !arguments.force {
        known_fields::check(&filter, arguments.campus.id, environment).await?;
    }
    for field in filter.hollow_fields() {
        say(&format!(
            "warning: nobody matches the rule about {field}: it compares dates with a number"
        ));
    }
    save(arguments.campus, mode, &rules, environment).await?;
    say(&if filter.is_empty() {
        format!("campus {} has all of its core's members: there is no rule", arguments.campus.id)
    } else {
        format!(
            "the filter of campus {} looks at {}",
            arguments.campus.id,
            filter.fields().join(", ")
        )
    });
    Ok(())
}

pub(super) async fn clear(arguments: &Clear, environment: &Environment) -> anyhow::Result<()> {
    save(arguments.campus, "include", &json!([]), environment).await?;
    say(&format!("campus {} has all of its core's members", arguments.campus.id));
    Ok(())
}

async fn save(
    campus: CampusId,
    mode: &str,
    rules: &Value,
    environment: &Environment,
) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let changed = client
        .execute(
            "UPDATE sync_configs SET filter_mode = $2, filter_rules = $3 WHERE campus_id = $1",
            &[&campus.id, &mode, rules],
        )
        .await
        .map_err(DatabaseError::during("save the filter"))?;
    if changed == 0 {
        return Err(unknown(&client, campus.id).await);
    }
    Ok(())
}
