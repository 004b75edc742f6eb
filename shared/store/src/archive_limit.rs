//! The brake on archives and on returns from them: how many of each a campus allows in 24 hours, and how many
//! there were. They are counted in the transaction that makes them, under a lock of the campus.

use std::collections::{HashMap, HashSet};

use database::{Error, Transaction};
use uuid::Uuid;

use crate::{ArchiveChange, Observation, claim::Claim, members::Existing};

/// However small the share is, so many a day are no accident, in a campus that is not small itself.
const FLOOR: u64 = 10;
/// A smaller campus than this is a small one, and its floor a share of it.
const SMALL: u64 = 50;

/// Archives that may be made in a day without an operator's word, in a campus of `size` active members that
/// allows `percent`; and as many returns. At 0 percent none.
pub fn most_archive_changes(size: u64, percent: u32) -> u64 {
    if percent == 0 {
        return 0;
    }
    let share = u128::from(size) * u128::from(percent) / 100;
    let floor = if size < SMALL { (size * FLOOR / SMALL).max(1) } else { FLOOR };
    u64::try_from(share).unwrap_or(u64::MAX).max(floor)
}

/// Nobody else counts, or makes what is counted, until the commit.
const LOCK: &str = "
    SELECT pg_advisory_xact_lock(hashtextextended('archives of ' || k.campus_id::text, 0))
    FROM (SELECT unnest($1::uuid[]) AS campus_id ORDER BY 1) AS k";

/// Of one kind (`$2`) in the last 24 hours, without those whom an operator let through.
const MADE: &str = "
    SELECT count(*) FROM sync_changes
    WHERE campus_id = $1 AND kind = $2 AND NOT allowed AND changed_at > now() - interval '24 hours'";

const STATE: &str = "
    SELECT s.campus_id, s.archive_limit,
           (SELECT count(*) FROM sync_changes c
            WHERE c.campus_id = s.campus_id AND kind = 'archived' AND NOT allowed
              AND changed_at > now() - interval '24 hours') AS made,
           (SELECT count(*) FROM members m
            WHERE m.campus_id = s.campus_id AND external_member_id IS NOT NULL AND NOT is_archived) AS active
    FROM sync_configs s WHERE s.campus_id = ANY($1)";

const RECORD: &str = "
    INSERT INTO sync_changes (run_id, campus_id, external_member_id, kind, reason, allowed)
    SELECT $1, r.campus, r.member, r.kind, r.reason, r.allowed
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::boolean[])
         AS r(campus, member, kind, reason, allowed)
    ON CONFLICT DO NOTHING";

impl ArchiveChange {
    /// The text in `sync_changes.kind` of one that was made.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Archive(_) => "archived",
            Self::Lift => "unarchived",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Archive(reason) => Some(reason),
            Self::Lift => None,
        }
    }
}

/// A change that was made.
pub(crate) struct Made<'a> {
    pub(crate) campus: Uuid,
    pub(crate) member: &'a str,
    pub(crate) change: &'a ArchiveChange,
    pub(crate) is_allowed: bool,
}

/// Waits until nobody else counts.
pub(crate) async fn lock(
    transaction: &Transaction<'_>,
    campuses: &HashSet<Uuid>,
) -> Result<(), Error> {
    let campuses: Vec<Uuid> = campuses.iter().copied().collect();
    transaction.query(LOCK, &[&campuses]).await?;
    Ok(())
}

/// How many of a kind there were in the last 24 hours, by the name that [`ArchiveChange::kind`] gives.
pub(crate) async fn made(
    transaction: &Transaction<'_>,
    campus: Uuid,
    kind: &str,
) -> Result<u64, Error> {
    let row = transaction.query_one(MADE, &[&campus, &kind]).await?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}

/// Puts down what was made, by a run or by events.
pub(crate) async fn record(
    transaction: &Transaction<'_>,
    run: Option<Uuid>,
    made: &[Made<'_>],
) -> Result<(), Error> {
    if made.is_empty() {
        return Ok(());
    }
    let campuses: Vec<Uuid> = made.iter().map(|made| made.campus).collect();
    let members: Vec<&str> = made.iter().map(|made| made.member).collect();
    let kinds: Vec<&str> = made.iter().map(|made| made.change.kind()).collect();
    let reasons: Vec<Option<&str>> = made.iter().map(|made| made.change.reason()).collect();
    let allowed: Vec<bool> = made.iter().map(|made| made.is_allowed).collect();
    transaction.execute(RECORD, &[&run, &campuses, &members, &kinds, &reasons, &allowed]).await?;
    Ok(())
}

/// The places in a batch of events whose members the sync filter drops and who would be archived for it,
/// beyond what their campus allows: a filter that is wrong would archive by events whom it may not by night.
pub(crate) async fn beyond_limit(
    transaction: &Transaction<'_>,
    observations: &[&Observation],
    claims: &[Claim],
    existing: &HashMap<(Uuid, String), Existing>,
) -> Result<HashSet<usize>, Error> {
    let is_dropped = |observation: &Observation| {
        let key = (observation.campus, observation.member.clone());
        observation.finding.is_filtered()
            && existing.get(&key).is_some_and(|row| !row.columns.is_archived)
    };
    let dropped: Vec<usize> = (0..observations.len())
        .filter(|place| {
            matches!(claims[*place], Claim::First | Claim::Applied)
                && is_dropped(observations[*place])
        })
        .collect();
    let campuses: HashSet<Uuid> = dropped.iter().map(|place| observations[*place].campus).collect();
    if campuses.is_empty() {
        return Ok(HashSet::new());
    }
    lock(transaction, &campuses).await?;
    let campuses: Vec<Uuid> = campuses.into_iter().collect();
    let mut left: HashMap<Uuid, u64> = HashMap::new();
    for row in transaction.query(STATE, &[&campuses]).await? {
        let count = |column: &str| row.get::<_, i64>(column).unsigned_abs();
        let percent = row.get::<_, i32>("archive_limit").unsigned_abs();
        let most = most_archive_changes(count("active") + count("made"), percent);
        left.insert(row.get("campus_id"), most.saturating_sub(count("made")));
    }
    Ok(dropped
        .into_iter()
        .filter(|place| match left.get_mut(&observations[*place].campus) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::most_archive_changes;

    #[test]
    fn ten_or_the_share_a_fifth_of_a_small_campus_and_none_at_zero() {
        let expected = [
            (0, 5, 1),
            (1, 5, 1),
            (9, 5, 1),
            (10, 5, 2),
            (49, 5, 9),
            (50, 5, 10),
            (200, 5, 10),
            (220, 5, 11),
            (40, 50, 20),
            (1000, 100, 1000),
            (1000, 0, 0),
            (10, 0, 0),
        ];
        for (size, percent, most) in expected {
            assert_eq!(most_archive_changes(size, percent), most, "{percent} % of {size}");
        }
    }

    #[test]
    fn it_takes_days_to_empty_a_campus_that_allows_a_twentieth() {
        for size in 10..5000 {
            assert!(most_archive_changes(size, 5) <= size / 5, "{size}");
        }
    }
}
