//! `faithctl campus set-filter` and `clear-filter`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use database::{DatabaseError, Transaction};
use member::{Filter, filter::operator_names};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    CampusCore, CampusId,
    filter_preview::FilterPreview,
    id::unknown,
    known_fields,
    settings_change::change_settings,
    survey::{self, Survey},
};
use crate::{
    confirm,
    environment::Environment,
    failure::{UsageError, in_words as in_words_of, say},
    input, output,
};

/// Chooses which of the core's members a campus has.
#[derive(Debug, Args)]
#[command(after_help = rules_help())]
pub(crate) struct Set {
    #[command(flatten)]
    pub(super) campus: CampusId,
    /// What happens to those who match all rules: kept, and nobody else; or dropped, and nobody else
    #[arg(long)]
    mode: Mode,
    /// File with a JSON list of rules; `-` reads stdin
    #[arg(long, value_name = "FILE.json")]
    rules: PathBuf,
    /// Save the rules without asking the core whether its members have the fields, and whom they keep
    #[arg(long)]
    force: bool,
    /// Say whom the rules would keep, and save nothing
    #[arg(long, conflicts_with = "force")]
    dry_run: bool,
    /// Do not ask where more would be archived than the campus's archive limit allows
    #[arg(long)]
    yes: bool,
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

Before they are saved its list is read, and said whom they keep. Where more would be archived than the campus's
archive limit of 24 hours allows, you are asked; without a terminal they are refused, unless --yes.

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
    pub(super) campus: CampusId,
}

pub(super) async fn set(
    arguments: &Set,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    let mode = match arguments.mode {
        Mode::Include => "include",
        Mode::Exclude => "exclude",
    };
    let rules = input::json_from(&arguments.rules).await?;
    let filter = Filter::parse(mode, &rules).map_err(|error| UsageError::new(error.to_string()))?;
    let mut preview = None;
    if !arguments.force {
        let survey = known_fields::check(&filter, arguments.campus.id, environment).await?;
        if let Some(survey) = survey {
            preview = look_ahead(&filter, &survey, arguments.campus.id, environment).await?;
        }
    }
    for field in filter.hollow_fields() {
        say(&format!(
            "warning: nobody matches the rule about {field}: it compares dates with a number"
        ));
    }
    let filter = in_words(mode, &rules);
    let whom = preview.as_ref().map(|preview| format!("; {}", preview.in_words()));
    let whom = whom.unwrap_or_default();
    if arguments.dry_run {
        return output::line(&format!("Filter not saved: {filter}{whom}"));
    }
    if let Some(preview) = preview.filter(FilterPreview::is_beyond_limit) {
        confirm_archives(arguments, &preview, environment, interrupted).await?;
    }
    save(arguments.campus.id, mode, &rules, environment).await?;
    say(&format!("Filter saved: {filter}{whom}"));
    Ok(())
}

pub(super) async fn clear(arguments: &Clear, environment: &Environment) -> anyhow::Result<()> {
    save(arguments.campus.id, "include", &json!([]), environment).await?;
    say(&format!("Filter cleared: campus {} has all of its core's members", arguments.campus.id));
    Ok(())
}

/// Whom the filter would keep; where the core cannot be asked, says so.
async fn look_ahead(
    filter: &Filter,
    survey: &Survey,
    campus: Uuid,
    environment: &Environment,
) -> anyhow::Result<Option<FilterPreview>> {
    let client = environment.client().await?;
    let asked = async {
        let (sealer, allowed) = (environment.sealer()?, environment.allowed_hosts()?);
        let core = CampusCore::load(&client, &sealer, &allowed, campus).await?;
        let session = survey::session(&core, sealer, environment)?;
        FilterPreview::of(filter, survey, &core, &session, &client).await
    };
    match asked.await {
        Ok(preview) => Ok(Some(preview)),
        Err(error) => {
            say(&format!(
                "warning: the core could not be asked whom the filter keeps: {}",
                in_words_of(&error)
            ));
            Ok(None)
        }
    }
}

/// Asks; without a terminal it is refused.
async fn confirm_archives(
    arguments: &Set,
    preview: &FilterPreview,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    let beyond = format!(
        "{}, and its archive limit allows {} more in 24 hours",
        preview.in_words(),
        preview.archives_left
    );
    confirm::require(arguments.yes).map_err(|_| {
        UsageError::new(format!(
            "the filter was not saved: it {beyond}\n    \
             → whom it means is in the core's list; --yes saves it, --dry-run only looks"
        ))
    })?;
    let question = format!(
        "The filter of campus {} {beyond}: the rest would wait for an operator. Save it",
        arguments.campus.id
    );
    confirm::ask(&question, environment, arguments.yes, interrupted).await
}

/// `include where gender equals "Female" and date_of_birth between [18,35]`
fn in_words(mode: &str, rules: &Value) -> String {
    let rules = rules.as_array().map(Vec::as_slice).unwrap_or_default();
    if rules.is_empty() {
        return "everybody, since there is no rule".to_owned();
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let rules = rules.iter().map(|rule| {
        let (field, operator) = (text(&rule["field"]), text(&rule["operator"]));
        match operator.as_str() {
            "is_true" | "is_false" => format!("{field} {operator}"),
            _ => format!("{field} {operator} {}", rule["value"]),
        }
    });
    format!("{mode} where {}", rules.collect::<Vec<_>>().join(" and "))
}

async fn save(
    campus: Uuid,
    mode: &str,
    rules: &Value,
    environment: &Environment,
) -> anyhow::Result<()> {
    let mut client = environment.client().await?;
    let save = async |transaction: &Transaction<'_>| {
        let statement =
            "UPDATE sync_configs SET filter_mode = $2, filter_rules = $3 WHERE campus_id = $1";
        Ok(transaction.execute(statement, &[&campus, &mode, rules]).await?)
    };
    let saved = change_settings(&mut client, campus, &[], environment, save).await;
    match saved.map_err(DatabaseError::during("save the filter"))? {
        Some(_) => Ok(()),
        None => Err(unknown(&client, campus).await),
    }
}
