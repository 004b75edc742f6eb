//! The list, read to its end and staged.

use std::{collections::BTreeSet, sync::Arc};

use campus_core::CoreSession;
use chrono::{DateTime, Utc};
use store::Session;

use crate::{
    campus::Campus,
    error::RunError,
    pages::{Page, Pages},
    plan::Listed,
    progress::Progress,
    row::{ListRow, speaks_of},
    snapshot,
};

/// What the list was like.
#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) listed: Listed,
    /// Rows whose id cannot be one.
    pub(crate) unusable: u64,
    /// Whether the rows have what the sync filter asks for. A field that is empty throughout is left
    /// out of lists, and what the filter makes of it means nothing.
    pub(crate) is_filterable: bool,
}

/// Reads every page into the staging table. Any page that cannot be had ends the run: half a list
/// would make the other half absent.
pub(crate) async fn read(
    session: &Session,
    core: &Arc<CoreSession>,
    campus: &Campus,
    now: DateTime<Utc>,
    progress: &Progress,
) -> Result<List, RunError> {
    let client = session.client();
    snapshot::prepare(client).await?;
    let mut unspoken: BTreeSet<&str> = campus.config.filter.fields().into_iter().collect();
    let mut list = List::default();
    let mut pages = Pages::new(campus.id, Arc::clone(core));
    loop {
        while pages.wants_more() {
            pages.ask(session.draw().await?);
        }
        let Some(page) = pages.next().await? else { break };
        // The next page comes while this one is staged.
        while pages.wants_more() {
            pages.ask(session.draw().await?);
        }
        progress.expect(page.total);
        progress.add(page.rows.len() as u64);
        let rows = rows_of(&page, campus, now, &mut list, &mut unspoken);
        if !rows.is_empty() {
            snapshot::stage(client, page.seen_from, &rows).await?;
        }
        tracing::debug!(campus = %campus.id, page = page.number, rows = rows.len(), "a page is staged");
    }
    list.listed.members = snapshot::finish(client).await?;
    list.is_filterable = unspoken.is_empty();
    Ok(list)
}

/// The page's rows of the campus's church; all others are counted.
fn rows_of(
    page: &Page,
    campus: &Campus,
    now: DateTime<Utc>,
    list: &mut List,
    unspoken: &mut BTreeSet<&str>,
) -> Vec<ListRow> {
    let locale = campus.config.locale(now);
    let mut rows = Vec::with_capacity(page.rows.len());
    list.listed.rows += page.rows.len() as u64;
    list.listed.total = page.total.or(list.listed.total);
    for row in &page.rows {
        if row.church_id() != Some(&campus.config.core_church_id) {
            list.listed.foreign += 1;
            continue;
        }
        unspoken.retain(|field| !speaks_of(row, field));
        match ListRow::read(row, &campus.config.filter, locale) {
            Some(row) => rows.push(row),
            None => list.unusable += 1,
        }
    }
    rows
}
