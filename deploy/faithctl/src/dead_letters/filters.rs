//! Which letters a command is about.

use chrono::{DateTime, Utc};
use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use store::{
    CampusReference, DeadLetterStatus, dead_letters::LetterFilters, records::DeadLetterFilter,
};
use uuid::Uuid;

use crate::{campus::find_campus, environment::Environment, input::causes, moment};

/// All of them hold for a letter that is chosen.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Filters {
    /// Filter by cause
    #[arg(long, value_name = "CAUSE", value_parser = causes())]
    pub(super) cause: Option<String>,
    /// Filter by campus: its id, or its name where only one has it
    #[arg(long, value_name = "CAMPUS")]
    campus: Option<CampusReference>,
    /// What that leads to, once it was looked for.
    #[arg(skip)]
    campus_id: Option<Uuid>,
    /// Filter by event type, such as member.updated
    #[arg(long, value_name = "TYPE")]
    pub(super) event_type: Option<String>,
    /// Filter by member, by the core's id
    #[arg(long, value_name = "ID")]
    pub(super) member: Option<String>,
    /// Filter by status
    #[arg(long, value_name = "STATUS", value_parser = statuses())]
    pub(super) status: Option<DeadLetterStatus>,
    /// Only those that died since, or with --status replaying were sent again since: so long ago (30m, 1h, 7d), or a time such
    /// as 2026-11-20T01:40:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    pub(super) since: Option<DateTime<Utc>>,
    /// Only those that died before, or with --status replaying were sent again before: so long ago, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    pub(super) until: Option<DateTime<Utc>>,
}

impl Filters {
    /// Looks for the campus that was named; whoever gave an id needs no database for that.
    pub(super) async fn find_campus(&mut self, environment: &Environment) -> anyhow::Result<()> {
        self.campus_id = match &self.campus {
            None => None,
            Some(CampusReference::Id(id)) => Some(*id),
            Some(name) => Some(find_campus(name, &environment.client().await?).await?),
        };
        Ok(())
    }

    /// The filter, with a status where none was asked for.
    pub(super) fn filter(&self, status: Option<DeadLetterStatus>) -> DeadLetterFilter {
        DeadLetterFilter {
            cause: self.cause.clone(),
            campus: self.campus_id,
            event_type: self.event_type.clone(),
            member: self.member.clone(),
            status: self.status.or(status),
            since: self.since,
            until: self.until,
        }
    }
}

impl From<&Filters> for LetterFilters {
    /// What an operation is to be about.
    fn from(filters: &Filters) -> Self {
        Self {
            cause: filters.cause.clone(),
            campus_id: filters.campus_id,
            event_type: filters.event_type.clone(),
            member_id: filters.member.clone(),
            status: filters.status.map(|status| status.as_str().to_owned()),
            since: filters.since,
            until: filters.until,
        }
    }
}

fn statuses() -> impl TypedValueParser<Value = DeadLetterStatus> {
    let values =
        DeadLetterStatus::ALL.map(|status| PossibleValue::new(status.as_str()).help(status.help()));
    PossibleValuesParser::new(values)
        .try_map(|text| DeadLetterStatus::parse(&text).ok_or("no such status"))
}
