//! What a gateway could not take, kept in memory until Postgres has it.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use database::{DatabaseError, PooledTransaction};
use uuid::Uuid;

/// The gaps of this gateway that are not noted yet. Refusing costs a lock and no more: the row is
/// written beside the requests.
#[derive(Debug, Default)]
pub struct Gaps {
    pending: Mutex<Pending>,
}

/// By campus; of none where a webhook was refused before anybody could tell whose it was.
type Pending = BTreeMap<Option<Uuid>, Gap>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gap {
    first: Instant,
    last: Instant,
    refused: i64,
}

impl Gaps {
    /// An event of this campus was refused; of all of them where it is not known whose it was.
    pub fn refused(&self, campus: Option<Uuid>) {
        let now = Instant::now();
        merge(&mut self.pending(), campus, Gap { first: now, last: now, refused: 1 });
    }

    /// No gateway was ready from then until now: of whatever was sent meanwhile nobody heard.
    pub(crate) fn nobody_was_ready(&self, since: Instant) {
        merge(&mut self.pending(), None, Gap { first: since, last: Instant::now(), refused: 0 });
    }

    /// What is to be noted now.
    pub(crate) fn take(&self) -> Taken<'_> {
        Taken { gaps: self, taken: mem::take(&mut *self.pending()) }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is being noted, in the order of the campuses: two gateways then never wait for each other.
/// Whatever comes between, what was not committed is pending again.
pub(crate) struct Taken<'a> {
    gaps: &'a Gaps,
    taken: Pending,
}

impl Taken<'_> {
    /// Writes them down.
    pub(crate) async fn note(
        &self,
        transaction: &PooledTransaction<'_>,
    ) -> Result<(), DatabaseError> {
        for (campus, gap) in &self.taken {
            let (first, last) =
                (gap.first.elapsed().as_secs_f64(), gap.last.elapsed().as_secs_f64());
            transaction
                .execute(NOTE, &[campus, &first, &last, &gap.refused])
                .await
                .map_err(DatabaseError::during("note what could not be taken"))?;
        }
        Ok(())
    }

    /// They are committed.
    pub(crate) fn noted(mut self) {
        self.taken.clear();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut pending = self.gaps.pending();
        for (campus, gap) in mem::take(&mut self.taken) {
            merge(&mut pending, campus, gap);
        }
    }
}

fn merge(pending: &mut Pending, campus: Option<Uuid>, gap: Gap) {
    pending
        .entry(campus)
        .and_modify(|known| {
            known.first = known.first.min(gap.first);
            known.last = known.last.max(gap.last);
            known.refused = known.refused.saturating_add(gap.refused);
        })
        .or_insert(gap);
}

/// Both moments as seconds before now, since only the database's clock is everybody's.
const NOTE: &str = "
    SELECT note_intake_gap($1, now() - make_interval(secs => $2), now() - make_interval(secs => $3), $4)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_noted_is_noted_with_the_next() {
        let (gaps, campus) = (Gaps::default(), Some(Uuid::from_u128(1)));
        gaps.refused(campus);
        let taken = gaps.take();
        let first = taken.taken[&campus].first;
        assert!(gaps.take().taken.is_empty());
        gaps.refused(campus);
        gaps.refused(None);
        drop(taken);
        let taken = gaps.take();
        assert_eq!((taken.taken[&campus].first, taken.taken[&campus].refused), (first, 2));
        assert!(taken.taken[&campus].last > first);
        assert_eq!(taken.taken[&None].refused, 1);
        taken.noted();
        assert!(gaps.take().taken.is_empty());
    }
}
