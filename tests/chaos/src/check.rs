//! After the faults: until all is quiet, and whether all is well then.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use chrono::Utc;
use core_sim::DeliveryState;
use harness::oracle;
use member::{CoreMember, Field, Filter, Locale};
use tokio_postgres::{Client, Row};

use super::{changes::Person, dead_letters, queues, test_bed::TestBed};

const LOOK_EVERY: Duration = Duration::from_millis(500);
const DRAIN_WITHIN: Duration = Duration::from_secs(28);

/// How the run came to rest.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// Events that some try got a 2xx for.
    pub(super) accepted: usize,
    /// Tries that got no 2xx.
    pub(super) refused: usize,
    /// Events that the sender gave up.
    pub(super) dropped: usize,
    /// Dead letters that there were.
    pub(super) letters: u64,
    /// Members that were told of once more, because of a dead letter or of a dropped event.
    pub(super) told_again: usize,
    /// Rows of the delivery log by status.
    pub(super) fates: BTreeMap<String, i64>,
}

/// Waits until every webhook is accepted or given up, every event has its fate, and no queue holds
/// anything; replays dead letters, and tells once more of members whose last word was lost to one.
pub(super) async fn rest(bed: &TestBed, deadline: Instant) -> anyhow::Result<Rest> {
    quiet(bed, deadline).await?;
    let client = bed.look().await?;
    let letters = dead_letters::replay(bed).await?;
    quiet(bed, deadline).await?;
    let unheard = dead_letters::unheard(bed, &client).await?;
    dead_letters::tell_again(bed, &unheard);
    quiet(bed, deadline).await?;
    let deliveries = bed.system.core.deliveries();
    let in_state = |state| deliveries.iter().filter(|delivery| delivery.state == state).count();
    let tries = deliveries.iter().flat_map(|delivery| &delivery.attempts);
    let fates = "SELECT status, count(*) FROM webhook_logs GROUP BY 1";
    Ok(Rest {
        accepted: in_state(DeliveryState::Delivered),
        refused: tries.filter(|attempt| !attempt.is_delivered()).count(),
        dropped: in_state(DeliveryState::Dropped),
        letters,
        told_again: unheard.len(),
        fates: client.query(fates, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect(),
    })
}

async fn quiet(bed: &TestBed, deadline: Instant) -> anyhow::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    ensure!(bed.system.core.sender_idle(left).await, "webhooks are still being posted");
    let client = bed.look().await?;
    let mut seen = String::new();
    while Instant::now() < deadline {
        seen = if let Some(without) = without_fate(bed, &client).await? {
            without
        } else {
            let holding = queues::not_empty(bed).await?;
            if holding.is_empty() {
                return Ok(());
            }
            format!("queues hold {holding:?}")
        };
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bail!("no rest in time: {seen}")
}

/// What is without a fate, in words: accepted events without an ended delivery, and deliveries that
/// have not ended.
async fn without_fate(bed: &TestBed, client: &Client) -> anyhow::Result<Option<String>> {
    let accepted = bed.system.core.delivered_event_ids();
    let lost = "SELECT e FROM unnest($1::text[]) e WHERE NOT EXISTS
                (SELECT FROM webhook_logs WHERE event_id = e AND status <> 'retrying')";
    let lost = client.query(lost, &[&accepted]).await?;
    let retrying = "SELECT event_id FROM webhook_logs WHERE status = 'retrying'";
    let retrying = client.query(retrying, &[]).await?;
    let some =
        |rows: &[Row]| -> Vec<String> { rows.iter().take(5).map(|row| row.get(0)).collect() };
    Ok((!lost.is_empty() || !retrying.is_empty()).then(|| {
        format!(
            "{} of {} accepted events have no fate, such as {:?}; {} deliveries are retrying, such as {:?}",
            lost.len(), accepted.len(), some(&lost), retrying.len(), some(&retrying)
        )
    }))
}

/// Fails with all that is wrong at rest.
pub(super) async fn check_members(bed: &TestBed, people: &[Person]) -> anyhow::Result<()> {
    // What a consumer still held comes back to its queue when it ends.
    for (kind, index) in bed.daemons() {
        let status = bed.program(kind, index).terminate(DRAIN_WITHIN).await?;
        ensure!(status.success(), "{kind} {index} drained with {status}");
    }
    let holding = queues::not_empty(bed).await?;
    ensure!(holding.is_empty(), "after the drain queues hold {holding:?}");
    let client = bed.look().await?;
    let unknown = "SELECT count(*) FROM webhook_logs l WHERE status = 'dead'
                   AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.id = l.id)";
    let unknown: i64 = client.query_one(unknown, &[]).await?.get(0);
    ensure!(unknown == 0, "{unknown} dead deliveries are no dead letters");
    oracle::check(&oracle::read(&client).await).map_err(anyhow::Error::msg)?;
    compare(bed, &client, people).await
}

async fn compare(bed: &TestBed, client: &Client, people: &[Person]) -> anyhow::Result<()> {
    let query = "SELECT c.core_church_id, m.* FROM members m JOIN sync_configs c USING (campus_id)";
    let rows = client.query(query, &[]).await?;
    let rows: HashMap<(&str, &str), &Row> =
        rows.iter().map(|row| ((row.get(0), row.get("external_member_id")), row)).collect();
    let mut wrong = Vec::new();
    for person in people {
        let row = rows.get(&(person.church.as_str(), person.id.as_str())).copied();
        if let Err(difference) = compare_one(bed, &person.id, row) {
            wrong.push(format!("{}: {difference}", person.id));
        }
    }
    let some = wrong.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
    ensure!(wrong.is_empty(), "{} of {} members differ:\n{some}", wrong.len(), people.len());
    ensure!(rows.len() <= people.len(), "{} rows for {} people", rows.len(), people.len());
    Ok(())
}

fn compare_one(bed: &TestBed, id: &str, row: Option<&Row>) -> anyhow::Result<()> {
    let there = bed.system.core.member(id);
    let archived = row.map(|row| row.get::<_, bool>("is_archived"));
    let Some(there) = there.filter(|there| !there.is_true("is_deleted")) else {
        ensure!(archived != Some(false), "deleted in the core, not archived here");
        return Ok(());
    };
    let row = row.context("alive in the core, unknown here")?;
    let there: CoreMember = serde_json::from_value(serde_json::to_value(there)?)?;
    let locale = Locale { country: "ID".parse()?, today: Utc::now().date_naive() };
    let verdict = member::map(&there, &Filter::default(), &locale)?;
    let profile = verdict.profile().context("a member without a profile")?;
    same("name", row, &profile.name)?;
    same("phone", row, &profile.phone)?;
    same("gender", row, &profile.gender)?;
    same("birth_date", row, &profile.birth_date)?;
    same("category", row, &profile.category)?;
    let reason: Option<&str> = row.get("archived_reason");
    let expected = verdict.archive_reason().map(member::ArchiveReason::as_str);
    ensure!(archived == Some(expected.is_some()), "archived {archived:?}, not {expected:?}");
    ensure!(reason == expected || expected.is_none(), "archived as {reason:?}, not {expected:?}");
    Ok(())
}

fn same<'a, T>(column: &str, row: &'a Row, there: &Field<T>) -> anyhow::Result<()>
where
    T: PartialEq + std::fmt::Debug + tokio_postgres::types::FromSql<'a>,
{
    let here: Option<T> = row.get(column);
    ensure!(
        here.as_ref() == there.value(),
        "{column} is {here:?}, in the core {:?}",
        there.value()
    );
    Ok(())
}
