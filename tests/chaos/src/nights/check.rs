//! What must never be, after any run; and what must be when all lies have ended.

use anyhow::{Context, ensure};
use chrono::Utc;
use member::{ArchiveReason, CoreMember, Field, Filter, Locale, Verdict};

use super::{
    Model, Numbers,
    people::{Here, Row},
};

/// Runs until members equal the core, where nothing but the truth is told: what the first holds back the next
/// has asked for anew.
const RUNS: usize = 4;

impl Model {
    /// What must never happen, whatever the core says.
    pub(super) async fn check_run(
        &self,
        before: &Here,
        after: &Here,
        numbers: &Numbers,
    ) -> anyhow::Result<()> {
        let filter = self.filter().await?;
        let (mut archived, mut returned) = (0, 0);
        for (id, was) in &before.0 {
            let is = after.0.get(id).with_context(|| format!("{was:?} is gone from here"))?;
            if was.is_archived_by_person() {
                ensure!(was.archive() == is.archive(), "a person's archive: {was:?} is {is:?}");
            }
            let linked = was.member != is.member;
            ensure!(!linked || is.member.is_some(), "{was:?} lost its id");
            if !was.is_archived && is.is_archived {
                archived += 1;
                let reason = self.reason(is, &filter)?;
                ensure!(reason.is_some(), "archived for nothing: {is:?}");
            }
            if was.is_archived && !is.is_archived && !linked {
                returned += 1;
                let reason = self.reason(is, &filter)?;
                ensure!(reason.is_none(), "back though {reason:?}: {is:?}");
            }
        }
        if numbers.status != "error" {
            ensure!(archived == numbers.archived && returned == numbers.unarchived);
            let known = before.0.len() + usize::try_from(numbers.created)?;
            ensure!(after.0.len() == known, "{} rows, not {known}", after.0.len());
        }
        Ok(())
    }

    /// Everything is told as it is, and let through: then members equal the core.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        self.system.core.clear_faults();
        self.system.core.set(|settings| settings.page_shift = 0);
        self.execute("UPDATE sync_configs SET archive_limit = 100").await?;
        for _ in 0..RUNS {
            let numbers = self.run(&[]).await?;
            ensure!(numbers.status != "error", "without a lie: {numbers:?}");
            if numbers.status == "success" {
                self.report.settled += 1;
                return self.compare().await;
            }
            let held = numbers.held.to_string();
            self.run(&["--allow-archive", &held]).await?;
        }
        anyhow::bail!("members are held again and again")
    }

    async fn compare(&self) -> anyhow::Result<()> {
        let here = Here::look(&self.system).await?;
        let rows = here.by_member();
        let filter = self.filter().await?;
        let members = self.members();
        for (id, member) in &members {
            let verdict = verdict(member, &filter)?;
            let row = rows.get(id.as_str()).map(|(_, row)| *row);
            let Some(row) = row else {
                ensure!(!verdict.creates_unknown(), "{id} is missing");
                continue;
            };
            let profile = verdict.profile().context("a member without a profile")?;
            let is_same = |here: &Option<String>, there: &Field<String>| {
                there.is_absent() || here.as_ref() == there.value()
            };
            ensure!(
                is_same(&row.name, &profile.name) && is_same(&row.phone, &profile.phone),
                "{id} has other values: {row:?}"
            );
            if !row.is_archived_by_person() {
                let reason = verdict.archive_reason().map(ArchiveReason::as_str);
                ensure!(row.reason.as_deref() == reason, "{id} should be {reason:?}: {row:?}");
            }
        }
        for (id, (_, row)) in rows {
            ensure!(members.contains_key(id) || row.is_archived, "{id} is gone: {row:?}");
        }
        Ok(())
    }

    /// Why the member of a row is archived, by what the core has, whatever it says.
    fn reason(&self, row: &Row, filter: &Filter) -> anyhow::Result<Option<ArchiveReason>> {
        let id = row.member.as_deref().context("a row that was made by hand")?;
        let Some(member) = self.system.core.member(id) else {
            return Ok(Some(ArchiveReason::Deleted));
        };
        let member: CoreMember = serde_json::from_value(serde_json::to_value(member)?)?;
        Ok(verdict(&member, filter)?.archive_reason())
    }

    async fn filter(&self) -> anyhow::Result<Filter> {
        let query = "SELECT filter_mode, filter_rules FROM sync_configs";
        let row = self.system.database.client().query_one(query, &[]).await?;
        Ok(Filter::parse(row.get(0), &row.get(1))?)
    }
}

fn verdict(member: &CoreMember, filter: &Filter) -> anyhow::Result<Verdict> {
    let locale = Locale { country: "ID".parse()?, today: Utc::now().date_naive() };
    Ok(member::map(member, filter, &locale)?)
}
