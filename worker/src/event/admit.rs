//! Admission: events that wait become groups, and each batch of groups asks Postgres once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use event::Envelope;
use futures_util::future::join_all;
use runtime::TRACES;
use store::Admission;
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field::Empty};

use crate::{
    context::WorkerContext,
    event::{
        group::{AdmittedGroup, DoneSender, Group, GroupDone},
        job::Job,
        member_queues::MemberQueues,
        process::process,
    },
    writer::session::WriteSession,
};

/// Deliveries admitted with one query.
const LARGEST_BATCH: usize = 256;

/// How often a worker that has no room for others looks for what could make some.
const CROWDED_PAUSE: Duration = Duration::from_millis(20);

/// Admits what comes until no more does. Runs alone, so that "is this member under way?" has one answer.
pub(crate) async fn admit(
    worker: Arc<WorkerContext>,
    mut jobs: mpsc::Receiver<Job>,
    stop: CancellationToken,
) {
    let (sender, mut done) = mpsc::unbounded_channel();
    let mut queues = MemberQueues::default();
    let mut looks = tokio::time::interval(CROWDED_PAUSE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => queues.take(job),
                None => return,
            },
            Some(done) = done.recv() => queues.release(done),
            _ = looks.tick(), if worker.is_crowded() => make_room(&worker, &mut queues),
            () = stop.cancelled() => return,
        }
        // Whatever waits already comes along; nothing is waited for.
        while queues.ready() < LARGEST_BATCH {
            if let Ok(done) = done.try_recv() {
                queues.release(done);
            } else if let Ok(job) = jobs.try_recv() {
                queues.take(job);
            } else {
                break;
            }
        }
        let batch = queues.next_batch();
        if !batch.is_empty() {
            admit_batch(&worker, batch, &sender).await;
        }
    }
}

/// Lets go of what waits beyond its campus's share for a core that is slow: that may last, and others may need the
/// room (rule worker-12). First of those who wait for a core, then of those whose member is under way.
fn make_room(worker: &Arc<WorkerContext>, queues: &mut MemberQueues) {
    let schedule = worker.settler.schedule();
    let rooms = worker.cores.make_room(schedule, &queues.waiting_campuses());
    for (job, turn) in queues.take_beyond(rooms) {
        let worker = Arc::clone(worker);
        tokio::spawn(async move { worker.settler.make_room(&job, turn).await });
    }
}

/// Sends the groups of a batch on their way, or back to the queue when a drain ends first.
async fn admit_batch(worker: &Arc<WorkerContext>, batch: Vec<Group>, done: &DoneSender) {
    let Some((admission, session)) = ask(worker, &batch).await else {
        join_all(batch.into_iter().map(|group| give_back(worker, group, done))).await;
        return;
    };
    let Admission { number, states, campuses } = admission;
    let campuses: HashMap<_, _> =
        campuses.into_iter().map(|(id, config)| (id, Arc::new(config))).collect();
    let deliveries = batch.iter().flat_map(|group| &group.jobs).map(|job| job.envelope.delivery_id);
    let states = Arc::new(deliveries.zip(states).collect::<HashMap<_, _>>());
    for group in batch {
        let campus = group.jobs.first().map(|job| job.envelope.campus_id);
        let admitted = AdmittedGroup {
            group,
            number,
            session: Arc::clone(&session),
            campus: campus.and_then(|id| campuses.get(&id).cloned()),
            states: Arc::clone(&states),
        };
        tokio::spawn(process(Arc::clone(worker), admitted, done.clone()));
    }
}

/// Returns a group to the work queue unfinished.
async fn give_back(worker: &WorkerContext, group: Group, done: &DoneSender) {
    worker.settler.give_back_all(&group.jobs).await;
    done.send(GroupDone::Settled(group.key)).ok();
}

/// Asks Postgres about the batch, for as long as it takes: with Postgres away everything is held here, and nothing
/// more is consumed than was prefetched. None when a drain ends first.
async fn ask(worker: &WorkerContext, batch: &[Group]) -> Option<(Admission, Arc<WriteSession>)> {
    let events: Vec<&Envelope> =
        batch.iter().flat_map(|group| &group.jobs).map(|job| &*job.envelope).collect();
    worker.metrics.admitted(events.len());
    loop {
        let session = worker.sessions.current(&worker.give_back.token()).await?;
        let span = span_of(batch);
        match session.numbers.admit(&events).instrument(span.clone()).await {
            Ok(admission) => return Some((admission, session)),
            Err(error) => {
                span.record("error.type", "database");
                tracing::warn!(%error, events = events.len(), "Postgres was lost, events are held");
            }
        }
    }
}

/// One question for many events: shown in the trace of one, and linked with all.
fn span_of(batch: &[Group]) -> Span {
    let spans = || batch.iter().flat_map(|group| &group.jobs).map(|job| job.trace.span());
    let span = tracing::info_span!(
        target: TRACES,
        parent: runtime::leader(spans()).and_then(Span::id),
        "admit",
        otel.kind = "client",
        db.system.name = "postgresql",
        db.operation.name = "SELECT",
        db.operation.batch.size = runtime::number(spans().count()),
        "error.type" = Empty,
    );
    runtime::share(&span, spans(), "admitted together");
    span
}
