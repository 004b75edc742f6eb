//! What is asked of a core for the events of a group.

use chrono::Utc;
use retry::RetrySchedule;

use crate::{core::cores::MemberRequest, event::job::Job};

/// A request for a member that `jobs` wait for: the oldest event gives it its place, and one that is overdue has it
/// sent whatever is known of the core.
pub(crate) fn member_request<'a>(
    schedule: &RetrySchedule,
    member: &'a str,
    jobs: &[&Job],
) -> MemberRequest<'a> {
    let now = Utc::now();
    MemberRequest {
        member,
        since: jobs.iter().map(|job| job.envelope.received_at).min().unwrap_or(now),
        is_overdue: jobs.iter().any(|job| schedule.is_overdue(&job.history, now)),
    }
}
