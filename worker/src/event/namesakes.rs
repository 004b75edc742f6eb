//! Before a member is created who is here already by phone and name, under another id: whether the core still has that
//! id. If not, it is one person, and the row is taken over (rule worker-17).

use std::sync::Arc;

use retry::FailureKind;
use store::{CampusConfig, LinkPolicy};

use crate::{
    context::WorkerContext,
    core::cores::Unfetched,
    event::{job::Job, member_request::member_request, outcome::JobOutcome},
};

/// What the core said of them.
#[derive(Default)]
pub(crate) struct Answers {
    gone: Vec<String>,
    there: Vec<String>,
}

impl Answers {
    /// Puts down what is known now.
    pub(crate) fn note(self, link: &mut LinkPolicy) {
        if let LinkPolicy::Allowed(asked) = link {
            Arc::make_mut(&mut asked.gone).extend(self.gone);
            asked.there.extend(self.there);
        }
    }
}

/// Asks for each. A core that fails is asked again with the event; one that fails on these again leaves a doubt, and a
/// doubt creates.
pub(crate) async fn ask(
    worker: &WorkerContext,
    campus: &CampusConfig,
    jobs: &[&Job],
    members: &[String],
) -> Result<Answers, JobOutcome> {
    let mut answers = Answers::default();
    for member in members {
        let request = member_request(worker.settler.schedule(), member, jobs);
        let is_there = match worker.cores.has(campus, &request).await {
            Ok(is_there) => is_there,
            Err(Unfetched::Absent(failure) | Unfetched::Failed(failure)) => {
                let is_first = jobs.iter().all(|job| job.history.is_first_attempt());
                if is_first && failure.kind == FailureKind::Outage {
                    return Err(JobOutcome::Failed(failure));
                }
                true
            }
            Err(Unfetched::Deferred(deferral)) => return Err(JobOutcome::Deferred(deferral)),
            Err(Unfetched::Held) => return Err(JobOutcome::UNKNOWN),
        };
        if is_there { &mut answers.there } else { &mut answers.gone }.push(member.clone());
    }
    Ok(answers)
}
