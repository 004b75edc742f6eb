//! What to do about dead letters, by their cause.

use retry::Cause;

/// A sentence or two for the operator.
pub(super) fn advice(cause: Cause) -> &'static str {
    match cause {
        Cause::MemberNotFound => {
            "The core answers 404. Few: the members are gone there, discard them. Every event of a \
             campus: its path prefix is wrong (`faithctl campus test-connection`); correct it, replay."
        }
        Cause::CoreUnavailable => {
            "The core was away for longer than RETRY_OUTAGE_AGE. When it answers again \
             (`faithctl campus test-connection`), replay."
        }
        Cause::CoreRejectedLogin => {
            "The core refuses the campus's account. `faithctl campus set ID --api-email … \
             --api-password-stdin`, then test-connection, then replay."
        }
        Cause::CoreForbidden => {
            "The account may not view these members (HTTP 403). Give it the right in FaithFlow; \
             `faithctl campus test-connection` fetches one by id; then replay."
        }
        Cause::CoreBadResponse => {
            "The core's answer made no sense, or lacks a field that the filter names. Compare with \
             `faithctl campus discover-fields`; correct the filter or the core, then replay."
        }
        Cause::WrongChurch => {
            "The account sees members of another church. Use an account of this church, then replay."
        }
        Cause::SyncDisabled => {
            "The campus was disabled before their turn came. `faithctl campus enable ID`, then \
             replay; or discard them if it stays so."
        }
        Cause::InvalidEvent => {
            "Messages that could not be read. What a newer version wrote is replayed once its workers \
             run; the rest is no event, and somebody else wrote it: look at one (`show`), discard it."
        }
        Cause::Database => {
            "Postgres refuses the member's values: its log says which. Fix what refuses them, then \
             replay."
        }
        Cause::Poison => {
            "Processing them crashes workers. Report it with the trace_id (`show`); replay one with \
             `--id` after an update, and the rest when that went well."
        }
    }
}

/// The same for a cause as the table has it.
pub(super) fn advice_for(cause: &str) -> Option<&'static str> {
    Cause::ALL.into_iter().find(|known| known.as_str() == cause).map(advice)
}
