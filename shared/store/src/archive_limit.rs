//! The limit on archives and on returns from them: how many of each a campus allows in 24 hours. They are
//! counted in the transaction that makes them, under a lock of the campus (rule store-15).

use std::collections::{HashMap, HashSet};

use database::{Error, Transaction};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::{Observation, archived_today, claim::Claim, members::Existing};

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

const LIMITS: &str = "
    SELECT s.campus_id, s.archive_limit,
           (SELECT count(*) FROM members m
            WHERE m.campus_id = s.campus_id AND external_member_id IS NOT NULL AND NOT is_archived) AS active
    FROM sync_configs s WHERE s.campus_id = ANY($1)";

/// Waits until nobody else counts.
pub(crate) async fn lock(
    transaction: &Transaction<'_>,
    campuses: &HashSet<Uuid>,
) -> Result<(), Error> {
    let campuses: Vec<Uuid> = campuses.iter().copied().collect();
    transaction.query(LOCK, &[&campuses]).await?;
    Ok(())
}

/// Archives that each of these campuses may still make today. Exact only under the lock.
pub async fn archives_left(
    client: &impl GenericClient,
    campuses: &[Uuid],
) -> Result<HashMap<Uuid, u64>, Error> {
    let today = archived_today(client, campuses).await?;
    let rows = client.query(LIMITS, &[&campuses]).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let campus: Uuid = row.get("campus_id");
            let archived = today.get(&campus).map_or(0, |today| today.archived);
            let active = row.get::<_, i64>("active").unsigned_abs();
            let percent = row.get::<_, i32>("archive_limit").unsigned_abs();
            let most = most_archive_changes(active + archived, percent);
            (campus, most.saturating_sub(archived))
        })
        .collect())
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
    let mut left = archives_left(transaction, &campuses).await?;
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
