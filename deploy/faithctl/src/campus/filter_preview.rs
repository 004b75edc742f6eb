//! Whom a filter would keep, before it is saved: of the core's list, beside who is here.

use std::{collections::HashMap, time::Duration};

use chrono::Utc;
use core_api::{Course, Gathered, Keys, PageSize, Rows, Session, Silence, Window, gather};
use database::Client;
use futures_util::{StreamExt, stream};
use indicatif::HumanCount;
use member::{ArchiveReason, CoreMember, Filter, Locale, Verdict};
use store::{PostgresTokens, archives_left, records::MemberRecord};
use tokio::time::Instant;
use uuid::Uuid;

use super::{CampusCore, connection::progress, survey::Survey};

/// The list is not read for longer; of what was not read nothing is said.
const TIME_LIMIT: Duration = Duration::from_mins(1);
/// Where the list lacks a field of the filter, so many members are asked for by id.
const MOST_BY_ID: usize = 200;
const AT_ONCE: usize = 8;

/// What a filter would do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct FilterPreview {
    /// Members of the campus's church that the core has, without those that it deleted.
    members: u64,
    kept: u64,
    /// Of whom it is not known what the filter says.
    unknown: u64,
    /// Active here, and not kept.
    pub(super) archives: u64,
    /// Archived here by the filter, and kept.
    returns: u64,
    /// The list was longer than it was read; it has so many rows, where it says so.
    is_cut: bool,
    total: Option<u64>,
    /// Archives that the campus may still make today without an operator's word.
    pub(super) archives_left: u64,
}

impl FilterPreview {
    /// Reads the core's list and asks a filter about everybody.
    pub(super) async fn of(
        filter: &Filter,
        survey: &Survey,
        core: &CampusCore,
        session: &Session<PostgresTokens>,
        client: &Client,
    ) -> anyhow::Result<Self> {
        let campus = core.config.id;
        let left = archives_left(client, &[campus]).await?;
        let mut preview =
            Self { archives_left: left.get(&campus).copied().unwrap_or(0), ..Self::default() };
        let evaluator = Evaluator {
            filter,
            locale: core.config.locale(Utc::now()),
            campus,
            client,
            is_listed: filter.fields().iter().all(|field| survey.is_listed(field)),
        };
        let mut unlisted = Vec::new();
        let (progress, silence, begun) = (progress(), Silence::default(), Instant::now());
        let (mut size, mut skip, mut course) = (PageSize::new(None), 0, Course::default());
        loop {
            let window = Window { skip, rows: size.rows() };
            let ask =
                |part: Window| session.page(part.skip, part.rows, || ChurchRows::of(filter, core));
            let gathered = gather(window, &silence, ask).await?;
            size.learn(&gathered);
            skip = gathered.end(window);
            let (is_last, total) = (gathered.is_last, gathered.total);
            let (rows, keys) = rows(gathered);
            unlisted.extend(evaluator.by_list(&rows, &mut preview).await?);
            progress.set_position(skip);
            course.follow(&keys, total.unwrap_or_default())?;
            preview.is_cut = !is_last && begun.elapsed() > TIME_LIMIT;
            if preview.is_cut {
                preview.total = total;
            }
            if is_last || preview.is_cut {
                break;
            }
        }
        progress.finish_and_clear();
        evaluator.by_id(&unlisted, session, &mut preview).await?;
        Ok(preview)
    }

    fn count(&mut self, verdict: &Verdict, here: Option<&MemberRecord>) {
        match verdict {
            Verdict::Deleted => {}
            Verdict::Filtered(_) => {
                self.members += 1;
                self.archives += u64::from(here.is_some_and(|member| !member.is_archived));
            }
            Verdict::Active(_) | Verdict::Unstated(_) | Verdict::Inactive(_) => {
                let reason = here.and_then(|member| member.archived_reason.as_deref());
                let was_dropped = reason == Some(ArchiveReason::Filtered.as_str());
                self.members += 1;
                self.kept += 1;
                self.returns += u64::from(was_dropped && matches!(verdict, Verdict::Active(_)));
            }
        }
    }

    /// Whether a filter archives more than the campus may without an operator's word. Members of whom it is not known are
    /// taken to be as the others; where nobody is known it may be all of them.
    pub(super) fn is_beyond_limit(&self) -> bool {
        let known = self.members - self.unknown;
        let all = self.members.max(self.total.unwrap_or(0));
        match (self.is_cut && self.total.is_none(), known) {
            (true, _) => self.archives > 0,
            (false, 0) => all > self.archives_left,
            (false, known) => {
                let archives = u128::from(self.archives) * u128::from(all) / u128::from(known);
                archives > u128::from(self.archives_left)
            }
        }
    }

    /// `keeps 312 of 400 members; would archive 88`
    pub(super) fn in_words(&self) -> String {
        let of_whom = if self.is_cut { "the first " } else { "" };
        let (kept, members) = (HumanCount(self.kept), HumanCount(self.members));
        let mut words = vec![format!("keeps {kept} of {of_whom}{members} members")];
        for (number, what) in [(self.archives, "would archive"), (self.returns, "would bring back")]
        {
            if number > 0 {
                words.push(format!("{what} {}", HumanCount(number)));
            }
        }
        if self.unknown > 0 {
            words.push(format!(
                "{} not asked: the list lacks a field of the filter, and the core was asked for {MOST_BY_ID} by id",
                HumanCount(self.unknown)
            ));
        }
        words.join("; ")
    }
}

/// How members are evaluated.
struct Evaluator<'a> {
    filter: &'a Filter,
    locale: Locale,
    campus: Uuid,
    client: &'a Client,
    /// The list has all fields of the filter; newer cores leave some out, or say the same of everybody.
    is_listed: bool,
}

impl Evaluator<'_> {
    /// Counts those of a page of whom the list says enough, and answers the ids of the others.
    async fn by_list(
        &self,
        rows: &[CoreMember],
        preview: &mut FilterPreview,
    ) -> anyhow::Result<Vec<String>> {
        if self.is_listed {
            return self.count(rows, preview).await;
        }
        let alive = rows.iter().filter(|row| !row.is_deleted());
        Ok(alive.filter_map(|row| row.id().map(ToOwned::to_owned)).collect())
    }

    /// Counts those who are asked for by id: some from all over the list.
    async fn by_id(
        &self,
        unlisted: &[String],
        session: &Session<PostgresTokens>,
        preview: &mut FilterPreview,
    ) -> anyhow::Result<()> {
        let some = unlisted.iter().step_by(unlisted.len().div_ceil(MOST_BY_ID).max(1));
        let members: Vec<CoreMember> = stream::iter(some)
            .map(|id| session.member(id))
            .buffer_unordered(AT_ONCE)
            .filter_map(async |answer| answer.ok())
            .collect()
            .await;
        let lacking = self.count(&members, preview).await?.len();
        let unknown = (unlisted.len() - members.len() + lacking) as u64;
        preview.unknown += unknown;
        preview.members += unknown;
        Ok(())
    }

    /// Counts members, and answers the ids of those who lack a field of the filter.
    async fn count(
        &self,
        members: &[CoreMember],
        preview: &mut FilterPreview,
    ) -> anyhow::Result<Vec<String>> {
        let ids: Vec<&str> = members.iter().filter_map(CoreMember::id).collect();
        let here = MemberRecord::load(self.client, self.campus, &ids).await?;
        let here: HashMap<&str, &MemberRecord> =
            here.iter().map(|member| (member.external_member_id.as_str(), member)).collect();
        let mut lacking = Vec::new();
        for member in members {
            let Some(id) = member.id() else { continue };
            match member::map(member, self.filter, &self.locale) {
                Ok(verdict) => preview.count(&verdict, here.get(id).copied()),
                Err(_) => lacking.push(id.to_owned()),
            }
        }
        Ok(lacking)
    }
}

/// The rows of the campus's church, with the fields that decide.
struct ChurchRows<'a> {
    keys: Keys,
    church: &'a str,
    rows: Vec<CoreMember>,
    seen: Vec<u64>,
}

impl<'a> ChurchRows<'a> {
    fn of(filter: &Filter, core: &'a CampusCore) -> Self {
        let keys = Keys::only(member::KEYS.into_iter().chain(filter.fields()));
        Self { keys, church: &core.config.core_church_id, rows: Vec::new(), seen: Vec::new() }
    }
}

impl Rows for ChurchRows<'_> {
    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn take(&mut self, row: &CoreMember) {
        self.seen.push(Course::key(row.id().unwrap_or_default()));
        if row.church_id() == Some(self.church) {
            self.rows.push(row.clone());
        }
    }
}

/// The rows of the church, and what all rows are known again by.
fn rows(gathered: Gathered<ChurchRows<'_>>) -> (Vec<CoreMember>, Vec<u64>) {
    let (mut rows, mut keys) = (Vec::new(), Vec::new());
    for part in gathered.parts {
        rows.extend(part.page.rows.rows);
        keys.extend(part.page.rows.seen);
    }
    (rows, keys)
}

#[cfg(test)]
mod tests {
    use super::FilterPreview;

    #[test]
    fn it_says_whom_a_filter_keeps_and_what_that_would_change() {
        let preview = FilterPreview { members: 400, kept: 400, ..FilterPreview::default() };
        assert_eq!(preview.in_words(), "keeps 400 of 400 members");
        let preview = FilterPreview { kept: 312, archives: 88, archives_left: 20, ..preview };
        assert_eq!(preview.in_words(), "keeps 312 of 400 members; would archive 88");
        assert!(preview.is_beyond_limit());
        let preview = FilterPreview { archives: 12, ..preview };
        assert!(!preview.is_beyond_limit());
        let cut = FilterPreview { members: 31_000, is_cut: true, ..preview };
        assert_eq!(cut.in_words(), "keeps 312 of the first 31,000 members; would archive 12");
        assert!(cut.is_beyond_limit(), "what comes after that is not known");
        let total = Some(1_000_000);
        assert!(FilterPreview { total, ..cut }.is_beyond_limit());
        let nobody = FilterPreview { members: 400, unknown: 400, ..FilterPreview::default() };
        assert!(nobody.is_beyond_limit(), "nobody could be asked");
    }
}
