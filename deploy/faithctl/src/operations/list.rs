//! `faithctl operations list`

use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use store::{
    OperationKind, OperationState,
    records::{OperationFilter, OperationRecord},
};

use super::words::{about, progress};
use crate::{
    environment::Environment,
    failure::say,
    listing, moment,
    output::{self, Column, Format},
    watch::{self, Watch},
};

/// Lists operations, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl operations list\n  \
    faithctl operations list --watch 5s\n  \
    faithctl operations list --state running --json")]
pub(super) struct Arguments {
    /// Filter by kind
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    kind: Option<OperationKind>,
    /// Filter by state
    #[arg(long, value_name = "STATE", value_parser = states())]
    state: Option<OperationState>,
    /// Maximum number of rows
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    output: Format,
    #[command(flatten)]
    watch: Watch,
}

fn kinds() -> impl TypedValueParser<Value = OperationKind> {
    let values = OperationKind::ALL.map(|kind| PossibleValue::new(kind.as_str()).help(kind.help()));
    PossibleValuesParser::new(values)
        .try_map(|text| OperationKind::parse(&text).ok_or("no such kind"))
}

fn states() -> impl TypedValueParser<Value = OperationState> {
    let values =
        OperationState::ALL.map(|state| PossibleValue::new(state.as_str()).help(state.help()));
    PossibleValuesParser::new(values)
        .try_map(|text| OperationState::parse(&text).ok_or("no such state"))
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let filter = OperationFilter { kind: arguments.kind, state: arguments.state, before: None };
    let limit = arguments.limit.saturating_add(1);
    let columns = [
        Column::new("created_at", |operation: &OperationRecord| moment::show(operation.created_at)),
        Column::new("id", |operation| operation.id.to_string()),
        Column::under("created_at", "kind", |operation| operation.kind.clone()),
        Column::under("created_at", "state", |operation| operation.state.clone()),
        Column::under("id", "by", |operation| operation.by.clone()),
        Column::under("id", "about", about),
        Column::new("done", progress),
    ];
    let shown = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    if let Some(every) = arguments.watch.every {
        return watch::repeat(every, async || {
            let operations = OperationRecord::list(&client, &filter, arguments.limit).await?;
            output::listing_text(&operations, &columns, arguments.output)
        })
        .await;
    }
    let mut operations = OperationRecord::list(&client, &filter, limit).await?;
    let more = operations.len() > shown;
    operations.truncate(shown);
    listing::write("no operation matches", &operations, &columns, arguments.output)?;
    if more {
        say(&format!("only the last {shown} are shown: --limit N for more"));
    }
    Ok(())
}
