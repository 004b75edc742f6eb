//! Which letters a command is about.

use chrono::{DateTime, Utc};
use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use retry::Cause;
use store::{DeadLetterStatus, records::DeadLetterFilter};
use uuid::Uuid;

use crate::moment;

/// All of them hold for a letter that is chosen.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Filters {
    /// Only those that failed for this cause
    #[arg(long, value_name = "CAUSE", value_parser = causes())]
    pub(super) cause: Option<String>,
    /// Only of this campus
    #[arg(long, value_name = "ID")]
    pub(super) campus: Option<Uuid>,
    /// Only of this type, such as member.updated
    #[arg(long, value_name = "TYPE")]
    pub(super) event_type: Option<String>,
    /// Only about this member, by the core's id
    #[arg(long, value_name = "ID")]
    pub(super) member: Option<String>,
    /// Only those that stand so
    #[arg(long, value_name = "STATUS", value_parser = statuses())]
    pub(super) status: Option<DeadLetterStatus>,
    /// Only those that died since: 30m, 1h, 7d ago, or a time such as 2026-11-20T01:40:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    pub(super) since: Option<DateTime<Utc>>,
    /// Only those that died before: 30m, 1h, 7d ago, or a time such as 2026-11-20T01:40:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    pub(super) until: Option<DateTime<Utc>>,
}

impl Filters {
    /// The filter, with a status where none was asked for.
    pub(super) fn filter(&self, status: Option<DeadLetterStatus>) -> DeadLetterFilter {
        DeadLetterFilter {
            cause: self.cause.clone(),
            campus: self.campus,
            event_type: self.event_type.clone(),
            member: self.member.clone(),
            status: self.status.or(status),
            since: self.since,
            until: self.until,
        }
    }
}

fn causes() -> PossibleValuesParser {
    PossibleValuesParser::new(Cause::ALL.map(|cause| PossibleValue::new(cause.as_str())))
}

fn statuses() -> impl TypedValueParser<Value = DeadLetterStatus> {
    let values =
        DeadLetterStatus::ALL.map(|status| PossibleValue::new(status.as_str()).help(status.help()));
    PossibleValuesParser::new(values)
        .try_map(|text| DeadLetterStatus::parse(&text).ok_or("no such status"))
}
