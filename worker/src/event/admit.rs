//! Admission: events that wait become groups, and each batch of groups asks Postgres once.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use event::Envelope;
use futures_util::future::join_all;
use runtime::TRACES;
use store::{Admission, CampusConfig, DeliveryState};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field::Empty};

use crate::{
    Worker,
    event::{
        job::{Group, Job, Key},
        process, settle,
    },
    writer::session::Live,
};

/// Deliveries admitted with one query.
const LARGEST_BATCH: usize = 256;

/// How often a worker that has no room for others looks for what could make some.
const CROWDED_PAUSE: Duration = Duration::from_millis(20);

/// What a group is told at admission.
pub(crate) struct Ticket {
    /// Drawn before any read that the group leads to; good on `live` only.
    pub(crate) number: i64,
    /// The session that drew it and must commit.
    pub(crate) live: Arc<Live>,
    /// The campus's configuration now; none where no sync is configured.
    pub(crate) campus: Option<Arc<Result<CampusConfig, store::ConfigError>>>,
    /// For each job of the group.
    pub(crate) states: Vec<DeliveryState>,
}

/// What a group says when it leaves processing.
pub(crate) enum Left {
    /// All its deliveries are settled.
    Settled(Option<Key>),
    /// It needs a new number and a new read.
    Again(Group),
}

/// Where groups report to when they leave.
pub(crate) type Exit = mpsc::UnboundedSender<Left>;

/// Admits what comes until no more does. Runs alone, so that "is this member under way?" has one
/// answer.
pub(crate) async fn admit(
    worker: Arc<Worker>,
    mut jobs: mpsc::Receiver<Job>,
    stop: CancellationToken,
) {
    let (exit, mut left) = mpsc::unbounded_channel();
    let mut desk = Desk::default();
    let mut looks = tokio::time::interval(CROWDED_PAUSE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => desk.take(job),
                None => return,
            },
            Some(left) = left.recv() => desk.release(left),
            _ = looks.tick(), if worker.is_crowded() => desk.make_room(&worker),
            () = stop.cancelled() => return,
        }
        // Whatever waits already comes along; nothing is waited for.
        while desk.ready.len() < LARGEST_BATCH {
            if let Ok(left) = left.try_recv() {
                desk.release(left);
            } else if let Ok(job) = jobs.try_recv() {
                desk.take(job);
            } else {
                break;
            }
        }
        let batch = desk.next_batch();
        if !batch.is_empty() {
            admit_batch(&worker, batch, &exit).await;
        }
    }
}

/// Who waits for what.
#[derive(Default)]
struct Desk {
    /// Groups that can be admitted.
    ready: Vec<Group>,
    /// Where in `ready` the group of a member is.
    forming: HashMap<Key, usize>,
    /// Members that have a group under way.
    busy: HashSet<Key>,
    /// Events whose member has a group under way: they form the next one.
    waiting: HashMap<Key, Vec<Job>>,
}

impl Desk {
    fn take(&mut self, job: Job) {
        let Some(key) = job.key() else {
            let mut group = Group::new(None);
            group.jobs.push(job);
            self.ready.push(group);
            return;
        };
        if self.busy.contains(&key) {
            self.waiting.entry(key).or_default().push(job);
            return;
        }
        let ready = &mut self.ready;
        let place = *self.forming.entry(key.clone()).or_insert_with(|| {
            ready.push(Group::new(Some(key)));
            ready.len() - 1
        });
        ready[place].jobs.push(job);
    }

    fn release(&mut self, left: Left) {
        match left {
            Left::Settled(None) => {}
            Left::Settled(Some(key)) => {
                self.busy.remove(&key);
                for job in self.waiting.remove(&key).unwrap_or_default() {
                    self.take(job);
                }
            }
            // Its member stays busy, and nobody joins: their number would be too old for them.
            Left::Again(group) => self.ready.push(group),
        }
    }

    /// Lets go of what waits beyond its campus's share for a core that is slow: that may last, and
    /// others may need the room. First of those who wait for a core, then of those whose member is
    /// under way.
    fn make_room(&mut self, worker: &Arc<Worker>) {
        let others = self.waiting.keys().map(|(campus, _)| *campus).collect();
        let mut room = worker.cores.make_room(&worker.schedule, &others);
        for ((campus, _), jobs) in &mut self.waiting {
            let Some(room) = room.get_mut(campus) else { continue };
            let kept = jobs.len().min(room.places);
            room.places -= kept;
            for job in jobs.drain(kept..) {
                let (worker, turn) = (Arc::clone(worker), room.turn);
                tokio::spawn(async move {
                    let (delay, history) = worker.schedule.make_room(&job.history, turn);
                    settle::bounce(&worker, &job, delay, &history).await;
                });
            }
        }
    }

    fn next_batch(&mut self) -> Vec<Group> {
        self.forming.clear();
        let batch = std::mem::take(&mut self.ready);
        self.busy.extend(batch.iter().filter_map(|group| group.key.clone()));
        batch
    }
}

/// Sends the groups of a batch on their way, or back to the queue when a drain ends first.
async fn admit_batch(worker: &Arc<Worker>, batch: Vec<Group>, exit: &Exit) {
    let Some((admission, live)) = ask(worker, &batch).await else {
        join_all(batch.into_iter().map(|group| process::give_back(worker, group, exit))).await;
        return;
    };
    let Admission { number, states, campuses } = admission;
    let campuses: HashMap<_, _> =
        campuses.into_iter().map(|(id, config)| (id, Arc::new(config))).collect();
    let mut states = states.into_iter();
    for group in batch {
        let campus = group.jobs.first().map(|job| job.envelope.campus_id);
        let ticket = Ticket {
            number,
            live: Arc::clone(&live),
            campus: campus.and_then(|id| campuses.get(&id).cloned()),
            states: states.by_ref().take(group.jobs.len()).collect(),
        };
        tokio::spawn(process::process(Arc::clone(worker), group, ticket, exit.clone()));
    }
}

/// Asks Postgres about the batch, for as long as it takes: with Postgres away everything is held
/// here, and nothing more is consumed than was prefetched. None when a drain ends first.
async fn ask(worker: &Worker, batch: &[Group]) -> Option<(Admission, Arc<Live>)> {
    let events: Vec<&Envelope> =
        batch.iter().flat_map(|group| &group.jobs).map(|job| &*job.envelope).collect();
    worker.metrics.admitted(events.len());
    loop {
        let live = worker.sessions.live(&worker.give_back.load_full()).await?;
        let span = span_of(batch);
        match live.session.admit(&events).instrument(span.clone()).await {
            Ok(admission) => return Some((admission, live)),
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
