//! Before a member is created who is here already by phone and name, under another id: whether the core still
//! has that id. If not, it is one person, and the row is taken over (CORRECTNESS §8).

use std::sync::Arc;

use chrono::Utc;
use retry::FailureKind;
use store::{CampusConfig, LinkPolicy};

use crate::{
    Worker,
    core::cores::{Unfetched, Wish},
    event::{job::Job, process::Fate},
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

/// Asks for each. A core that fails is asked again with the event; one that fails on these again leaves a doubt,
/// and a doubt creates.
pub(crate) async fn ask(
    worker: &Worker,
    campus: &CampusConfig,
    jobs: &[&Job],
    members: &[String],
) -> Result<Answers, Fate> {
    let now = Utc::now();
    let mut answers = Answers::default();
    for member in members {
        let wish = Wish {
            member,
            since: jobs.iter().map(|job| job.envelope.received_at).min().unwrap_or(now),
            is_overdue: jobs.iter().any(|job| worker.schedule.is_overdue(&job.history, now)),
        };
        let is_there = match worker.cores.has(campus, &wish).await {
            Ok(is_there) => is_there,
            Err(Unfetched::Absent(failure) | Unfetched::Failed(failure)) => {
                let is_first = jobs.iter().all(|job| job.history.is_first_attempt());
                if is_first && failure.kind == FailureKind::Outage {
                    return Err(Fate::Failed(failure));
                }
                true
            }
            Err(Unfetched::PutOff(off)) => return Err(Fate::PutOff(off)),
            Err(Unfetched::Held) => return Err(Fate::LOST),
        };
        if is_there { &mut answers.there } else { &mut answers.gone }.push(member.clone());
    }
    Ok(answers)
}
