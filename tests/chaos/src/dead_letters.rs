//! What is known to have failed, and what an operator does about it.

use std::collections::BTreeSet;

use core_sim::DeliveryState;
use tokio_postgres::Client;

use super::test_bed::TestBed;

/// Replays the dead letters as an operator would.
pub(super) async fn replay(bed: &TestBed) -> anyhow::Result<u64> {
    let client = bed.look().await?;
    let open = "SELECT count(*) FROM dead_letters WHERE status = 'open'";
    let open = u64::try_from(client.query_one(open, &[]).await?.get::<_, i64>(0))?;
    let help = bed.system.faithctl(&["dead-letters", "replay", "--help"]).await;
    if open > 0 && help.code == Some(0) {
        bed.system.faithctl(&["dead-letters", "replay", "--yes"]).await.checked()?;
    }
    Ok(open)
}

/// The members whose last word may not have come through, with their church: the sender gave up a
/// webhook, or an event is a dead letter.
pub(super) async fn unheard(
    bed: &TestBed,
    client: &Client,
) -> anyhow::Result<BTreeSet<(String, String)>> {
    let mut unheard = BTreeSet::new();
    for delivery in bed.system.core.deliveries() {
        if let (DeliveryState::Dropped, Some(member)) = (delivery.state, delivery.member_id) {
            unheard.insert((delivery.church_id, member));
        }
    }
    let dead = "SELECT DISTINCT c.core_church_id, l.member_id FROM webhook_logs l
                JOIN sync_configs c USING (campus_id)
                WHERE l.status = 'dead' AND l.member_id IS NOT NULL";
    for row in client.query(dead, &[]).await? {
        unheard.insert((row.get(0), row.get(1)));
    }
    Ok(unheard)
}

/// Tells of members once more, as the core would at their next change.
pub(super) fn tell_again(bed: &TestBed, members: &BTreeSet<(String, String)>) {
    let core = &bed.system.core;
    for (church, member) in members {
        let gone = core.member(member).is_none_or(|member| member.is_true("is_deleted"));
        let event = if gone { "member.deleted" } else { "member.updated" };
        core.send_event(church, event, member).ok();
    }
}
