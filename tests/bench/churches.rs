//! A system of many campuses, each with a church of its own in the simulated core.

use std::time::Duration;

use core_sim::{Fault, FaultKind, Options, WebhookBody};
use harness::{SystemBuilder, TestSystem, eventually};

use crate::webhooks::Sender;

/// An event that could not log in is tried again after some seconds.
const LOGGED_IN_WITHIN: Duration = Duration::from_mins(2);

/// How many, and how slow their core is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Churches {
    pub(crate) campuses: usize,
    /// Over all campuses.
    pub(crate) members: u64,
}

impl Churches {
    /// Starts `builder`'s system with these churches, and adds a campus for each.
    pub(crate) async fn spawn(self, builder: SystemBuilder) -> (TestSystem, Vec<Sender>) {
        let each = self.members / self.campuses as u64;
        let churches = Options::churches_of(1, self.campuses, each);
        let mut options =
            Options { churches: churches.clone(), count_members: false, ..Options::default() };
        // One installation logs in once a campus; all at once is the bench's own haste.
        options.settings.login_limit = None;
        let system = builder.own_servers().core(options).spawn().await;
        let mut senders = Vec::new();
        for (number, church) in churches.iter().enumerate() {
            let campus = match number {
                0 => system.campus.clone(),
                _ => system.add_campus(church, &[]).await,
            };
            let members = (0..each).map(|row| system.core.member_id(&church.id, row).unwrap());
            senders.push(Sender { campus, members: members.collect() });
        }
        log_in(&system, &senders).await;
        (system, senders)
    }
}

/// One event for each campus, so that all workers have its token. Logins to one host share a budget
/// of four a minute, which is given back here: the wait is not what benches measure.
async fn log_in(system: &TestSystem, senders: &[Sender]) {
    let client = system.database.client();
    for sender in senders {
        let body =
            WebhookBody::new("member.updated", &sender.campus.core_church_id, &sender.members[0]);
        assert_eq!(system.post(&sender.campus, &body).await.status, 202);
    }
    eventually("every campus has a token", LOGGED_IN_WITHIN, async || {
        client.batch_execute("DELETE FROM core_logins").await.unwrap();
        let done = "SELECT count(*) FROM webhook_logs WHERE status = 'processed'";
        let done: i64 = client.query_one(done, &[]).await.unwrap().get(0);
        done.cast_unsigned() >= senders.len() as u64
    })
    .await;
}

/// Makes the campuses old enough for their first nights to be due.
pub(crate) async fn make_due(system: &TestSystem) {
    let old = "UPDATE sync_configs SET scheduled_from = now() - interval '10 days'";
    system.database.client().batch_execute(old).await.unwrap();
}

/// Makes every answer of the core late.
pub(crate) fn slow_down(system: &TestSystem, milliseconds: u64) {
    system.core.clear_faults();
    if milliseconds > 0 {
        let kind = FaultKind::Latency { ms: milliseconds, jitter_ms: 0, stale: false };
        system.core.add_fault(Fault::everywhere(kind));
    }
}
