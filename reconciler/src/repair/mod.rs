//! What is repaired, and in which order.

pub(crate) mod archive;
mod batches;
mod by_id;
mod canary;
mod fetch;
mod from_list;
mod linking;
mod outcome;
mod pending_archives;
pub(crate) mod writer;

use crate::{
    diff::{Comparison, Differences},
    error::RunError,
    repair::{
        canary::Canaries, outcome::Outcomes, pending_archives::PendingArchives, writer::Writer,
    },
    report::counters::RunCounters,
    run::context::Run,
};

/// Repairs what differs: first whom only the id can tell about, then who is new, then archives and returns.
pub(crate) async fn repair(
    run: &Run,
    comparison: &Comparison,
    found: Differences,
    writer: &mut Writer,
    counters: &mut RunCounters,
) -> Result<(), RunError> {
    let pending = PendingArchives::create(run.client(), run.campus.id).await?;
    let (mut links, namesakes) = linking::prepare(run, found).await?;
    let mut canaries = None;
    if found.to_be_asked_for() > 0 || !namesakes.is_empty() {
        let picked = Canaries::pick(run.client()).await?;
        picked.check(&run.core, &run.campus).await?;
        // Before anybody is created: who is new may be somebody whose old id is gone.
        links.ask(run, counters, &namesakes).await?;
        let mut outcomes = Outcomes { run, pending: &pending, writer, counters };
        by_id::decide(&mut outcomes, &mut links, comparison, found.to_be_asked_for()).await?;
        if found.unseen > 0 {
            picked.check(&run.core, &run.campus).await?;
        }
        canaries = Some(picked);
    }
    let mut outcomes = Outcomes { run, pending: &pending, writer, counters };
    from_list::create(&mut outcomes, &links, found.unseen).await?;
    let archiving = archive::Archiving { run, comparison, links: &links, writer, counters };
    archiving.archive(pending, canaries, found.active).await?;
    writer.forget(run.client(), comparison).await?;
    Ok(())
}
