//! What the broker still holds.

use std::collections::BTreeMap;

use anyhow::Context;

use super::test_bed::TestBed;

/// The queues that hold anything, held by a consumer or not.
pub(super) async fn not_empty(bed: &TestBed) -> anyhow::Result<BTreeMap<String, u64>> {
    let vhost = bed.system.broker.vhost();
    let list = ["list_queues", "--vhost", vhost, "--no-table-headers", "name", "messages"];
    let listed = bed.system.servers().rabbitmq.control(&list).await?;
    let mut queues = BTreeMap::new();
    for line in listed.lines() {
        let (name, messages) = line.split_once('\t').context("a queue without a number")?;
        let messages = messages.parse().with_context(|| format!("{name} does not answer"))?;
        queues.insert(name.to_owned(), messages);
    }
    queues.retain(|_, messages| *messages > 0);
    Ok(queues)
}
