//! `faithctl campus list`

use clap::Args;

use store::records::CampusRecord;

use crate::{
    environment::Environment,
    listing, moment,
    output::{Column, Format},
};

/// Lists the campuses that are synced.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl campus list\n  \
    faithctl campus list --json | jq -r '.[] | select(.is_enabled) | .campus_id'")]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: Format,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let campuses = CampusRecord::all(&client).await?;
    let columns = [
        Column::new("name", |campus: &CampusRecord| campus.name.clone()),
        Column::new("campus_id", |campus| campus.campus_id.to_string()),
        Column::under("campus_id", "core_church_id", |campus| campus.core_church_id.clone()),
        Column::under("name", "timezone", |campus| campus.timezone.clone()),
        Column::new("last_sync_at", |campus| moment::show_optional(campus.last_sync_at)),
        Column::under("last_sync_at", "enabled", state),
        Column::under("last_sync_at", "filter", filter_summary),
    ];
    let nothing = "no campus is synced yet: `faithctl campus add --help` tells how to add one";
    listing::write(nothing, &campuses, &columns, arguments.output)
}

fn state(campus: &CampusRecord) -> String {
    match (campus.is_enabled, campus.paused_at) {
        (false, _) => "no",
        (true, Some(_)) => "paused",
        (true, None) => "yes",
    }
    .to_owned()
}

fn filter_summary(campus: &CampusRecord) -> String {
    match campus.filter_rules.as_array().map_or(0, Vec::len) {
        0 => "everyone".to_owned(),
        1 => format!("{} 1 rule", campus.filter_mode),
        rules => format!("{} {rules} rules", campus.filter_mode),
    }
}
