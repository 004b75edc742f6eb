//! Which letters a command is about.

use chrono::{DateTime, Utc};
use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use database::types::ToSql;
use retry::Cause;
use store::DeadLetterStatus;
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

/// The condition on `dead_letters d`; its parameters are `$1` to `$7`.
pub(super) const CONDITION: &str = "($1::text IS NULL OR d.cause = $1)
    AND ($2::uuid IS NULL OR d.campus_id = $2)
    AND ($3::text IS NULL OR d.event_type = $3)
    AND ($4::text IS NULL OR d.member_id = $4)
    AND ($5::text IS NULL OR d.status = $5)
    AND ($6::timestamptz IS NULL OR d.dead_at >= $6)
    AND ($7::timestamptz IS NULL OR d.dead_at < $7)";

/// What [`CONDITION`] is asked with.
pub(super) struct Parameters<'a> {
    filters: &'a Filters,
    status: Option<&'static str>,
}

impl Filters {
    /// The parameters, with a status where none was asked for.
    pub(super) fn parameters(&self, status: Option<DeadLetterStatus>) -> Parameters<'_> {
        Parameters { filters: self, status: self.status.or(status).map(DeadLetterStatus::as_str) }
    }
}

impl Parameters<'_> {
    /// The parameters, and one more.
    pub(super) fn with<'a>(
        &'a self,
        more: &[&'a (dyn ToSql + Sync)],
    ) -> Vec<&'a (dyn ToSql + Sync)> {
        let Filters { cause, campus, event_type, member, since, until, status: _ } = self.filters;
        let own: [&(dyn ToSql + Sync); 7] =
            [cause, campus, event_type, member, &self.status, since, until];
        own.iter().chain(more).copied().collect()
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
