//! Webhooks as bytes, each with an event id of its own, signed.

use std::sync::Arc;

use core_sim::{sign, timestamp_now};
use harness::{Campus, SIGNATURE_HEADER, WEBHOOK_PATH};
use uuid::Uuid;

use crate::load::{Post, Source};

/// A campus and the members that its webhooks are about.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) campus: Campus,
    pub(crate) members: Vec<String>,
}

/// What the webhooks of a run are like.
#[derive(Clone)]
pub(crate) struct Webhooks {
    /// The campuses take turns, and so do the members of each.
    pub(crate) senders: Arc<[Sender]>,
    /// Bytes that the member's data adds to the body.
    pub(crate) padding: usize,
    /// Every so many-th has a wrong signature; 0: none.
    pub(crate) wrong_every: u64,
    /// Tells the events of this run from those of others.
    pub(crate) run: u64,
}

impl Webhooks {
    /// Small, right ones.
    pub(crate) fn of(senders: Vec<Sender>) -> Self {
        Self { senders: senders.into(), padding: 0, wrong_every: 0, run: new_run() }
    }

    /// The same as another run.
    pub(crate) fn again(&self) -> Self {
        Self { run: new_run(), ..self.clone() }
    }

    /// The id of the event of a number.
    pub(crate) fn event_id(&self, number: u64) -> String {
        Uuid::from_u64_pair(self.run, number).to_string()
    }

    /// Makes the requests.
    pub(crate) fn source(self) -> Source {
        let data = "x".repeat(self.padding);
        Arc::new(move |number, _| self.post(number, &data))
    }

    /// Who sends the webhook of a number, and about whom.
    pub(crate) fn about(&self, number: u64) -> (&Campus, &str) {
        let number = usize::try_from(number).unwrap();
        let sender = &self.senders[number % self.senders.len()];
        let member = &sender.members[number / self.senders.len() % sender.members.len()];
        (&sender.campus, member)
    }

    fn post(&self, number: u64, data: &str) -> Post {
        let (campus, member) = self.about(number);
        // Written by hand: what the sender costs is taken from those that are measured.
        let body = format!(
            r#"{{"event_id":"{}","event_type":"member.updated","timestamp":"{}","church_id":"{}","campus_id":"{}","member_id":"{member}","data":{{"notes":"{data}"}}}}"#,
            self.event_id(number),
            timestamp_now(),
            campus.core_church_id,
            campus.core_church_id,
        );
        let wrong = self.wrong_every > 0 && number.is_multiple_of(self.wrong_every);
        let secret = if wrong { "not the secret" } else { &campus.secret };
        let mut request = format!(
            "POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n\
             {SIGNATURE_HEADER}: {}\r\nContent-Length: {}\r\n\r\n",
            sign(secret, body.as_bytes()),
            body.len()
        )
        .into_bytes();
        request.extend(body.into_bytes());
        Post { request, expected: if wrong { 401 } else { 202 } }
    }
}

fn new_run() -> u64 {
    Uuid::new_v4().as_u64_pair().0
}
