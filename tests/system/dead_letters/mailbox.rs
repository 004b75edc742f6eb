//! What the tests of dead letters say in one word.

use std::{collections::BTreeMap, time::Duration};

use chrono::{TimeDelta, Utc};
use event::{Envelope, EventType, History, SCHEMA_VERSION};
use harness::{Finished, Intercepted, Interception, TestSystem, eventually};
use lapin::{
    BasicProperties, Channel,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable},
};
use queue::{DEAD, EXCHANGE, ReceivedHeaders, WORK};
use serde_json::Value;
use support::program::{Program, binary};
use uuid::Uuid;

/// How long anything may take, on a machine that runs other tests too.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// The dead letters of a system's first campus.
#[derive(Clone, Copy)]
pub(crate) struct Mailbox<'a> {
    pub(crate) system: &'a TestSystem,
}

/// A message of the work queue.
pub(crate) struct Queued {
    pub(crate) delivery: Uuid,
    pub(crate) history: History,
    pub(crate) traceparent: Option<String>,
    pub(crate) envelope: Envelope,
}

impl Mailbox<'_> {
    /// Puts `number` letters there that have been open for an hour, with their log rows: of members
    /// `member-1` and so on, which the core does not know.
    pub(crate) async fn fill(&self, number: i32) {
        let sql = "
            INSERT INTO dead_letters (id, event_id, campus_id, event_type, member_id, cause, reason, attempts,
                                      first_failed_at, dead_at, received_at, trace_id, envelope)
            SELECT id, 'event-' || i, campus_id, 'member.updated', 'member-' || i, 'member_not_found',
                   'The core knows no such member.', 3, at - interval '1 minute', at, at - interval '1 minute',
                   md5(i::text),
                   jsonb_build_object('schema_version', 1, 'delivery_id', id, 'event_id', 'event-' || i,
                       'event_type', 'member.updated', 'campus_id', campus_id, 'member_id', 'member-' || i,
                       'received_at', at - interval '1 minute')
            FROM sync_configs, generate_series(1, $1) i,
                 LATERAL (SELECT gen_random_uuid() AS id, now() - interval '1 hour' + i * interval '1 ms' AS at
                          WHERE i > 0) new
            WHERE campus_id = $2::text::uuid";
        let client = self.system.database.client();
        client.execute(sql, &[&number, &self.system.campus.id]).await.unwrap();
        let log = "
            INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload, signature_valid,
                                      received_at, status, error, attempts, processed_at, trace_id)
            SELECT id, campus_id, event_id, event_type, member_id, '{}', true, received_at, 'dead', reason,
                   attempts, dead_at, trace_id
            FROM dead_letters WHERE event_id IS NOT NULL";
        client.execute(log, &[]).await.unwrap();
    }

    /// Puts a letter there that holds no event.
    pub(crate) async fn fill_unreadable(&self) -> String {
        let sql = "INSERT INTO dead_letters (id, cause, reason, attempts, dead_at, envelope)
             VALUES (gen_random_uuid(), 'invalid_event', 'The message could not be read.', 0,
                     now() - interval '2 hours', '{\"base64\": \"eyI=\"}') RETURNING id";
        let row = self.system.database.client().query_one(sql, &[]).await.unwrap();
        row.get::<_, Uuid>(0).to_string()
    }

    /// Runs a command of `faithctl dead-letters`.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        self.system.faithctl(&[&["dead-letters"], arguments].concat()).await
    }

    /// Runs a replay without asking, and answers how many it replayed.
    pub(crate) async fn replay(&self, more: &[&str]) -> u64 {
        let replayed = self.run(&[&["replay", "--yes", "--json"], more].concat()).await.json();
        replayed["replayed"].as_u64().unwrap()
    }

    /// A command that runs beside the test, and may be killed.
    pub(crate) fn beside(self, name: &str, arguments: &[&str]) -> Program {
        let variables = self.system.variables(harness::Role::Admin).clone();
        let program = Program::new(name, binary("faithctl").unwrap(), self.system.folder().path())
            .arguments(["dead-letters"])
            .arguments(arguments.iter().copied())
            .clean_environment()
            .variables(variables);
        program.start().unwrap();
        program
    }

    /// Every letter, those that died first first.
    pub(crate) async fn letters(&self) -> Vec<Value> {
        self.system.database.rows("SELECT * FROM dead_letters ORDER BY dead_at, id", &[]).await
    }

    /// The letter of an event, when it stands so.
    pub(crate) async fn until(&self, event: &str, status: &str) -> Value {
        eventually(&format!("the letter is {status}"), SOON, async || {
            let query = "SELECT * FROM dead_letters WHERE event_id = $1";
            let letters = self.system.database.rows(query, &[&event]).await;
            assert!(letters.len() < 2, "{letters:?}");
            match letters.into_iter().next() {
                Some(letter) if letter["status"] == status => Ok(letter),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }

    /// The log row of an event that was delivered once.
    pub(crate) async fn log(&self, event: &str) -> Value {
        let query = "SELECT * FROM webhook_logs WHERE event_id = $1";
        let mut rows = self.system.database.rows(query, &[&event]).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// How many letters stand how.
    pub(crate) async fn statuses(&self) -> BTreeMap<String, i64> {
        let query = "SELECT status, count(*) FROM dead_letters GROUP BY status";
        let rows = self.system.database.client().query(query, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Waits until letters stand like this, and no others are there.
    pub(crate) async fn until_statuses(&self, expected: &[(&str, i64)]) {
        let expected = expected.iter().map(|(status, n)| ((*status).to_owned(), *n)).collect();
        eventually("the letters stand as expected", SOON, async || {
            let seen = self.statuses().await;
            if seen == expected { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }

    /// An envelope as a gateway makes it, received `age` ago.
    pub(crate) fn envelope(self, event_type: &str, member: &str, age: TimeDelta) -> Envelope {
        Envelope {
            schema_version: SCHEMA_VERSION,
            delivery_id: Uuid::now_v7(),
            event_id: Uuid::new_v4().to_string(),
            event_type: EventType::from(event_type.to_owned()),
            campus_id: self.system.campus.id.parse().unwrap(),
            member_id: Some(member.to_owned()),
            occurred_at: None,
            received_at: Utc::now() - age,
        }
    }

    /// A channel that confirms.
    pub(crate) async fn channel(&self) -> Channel {
        let channel = self.system.broker.channel().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        channel
    }

    /// Takes what comes into the work queue before the workers do.
    pub(crate) async fn intercept(&self) -> Interception {
        self.system.broker.intercept(WORK).await
    }
}

/// What was taken out of the work queue.
pub(crate) fn queued(interception: &Interception) -> Vec<Queued> {
    let queued = |message: Intercepted| {
        let headers = ReceivedHeaders::read(&message.properties);
        let envelope = Envelope::decode(&message.data).unwrap();
        Queued {
            delivery: envelope.delivery_id,
            history: headers.history,
            traceparent: headers.traceparent,
            envelope,
        }
    };
    interception.taken().into_iter().map(queued).collect()
}

/// Publishes an envelope to the workers.
pub(crate) async fn to_work(channel: &Channel, envelope: &Envelope) {
    publish(channel, WORK, envelope, FieldTable::default()).await;
}

/// Publishes an envelope to the collector, as a worker does with an event that has failed for good.
pub(crate) async fn to_dead(channel: &Channel, envelope: &Envelope) {
    let mut headers = FieldTable::default();
    headers.insert("x-cause".into(), AMQPValue::LongString("member_not_found".into()));
    headers
        .insert("x-reason".into(), AMQPValue::LongString("The core knows no such member.".into()));
    headers.insert("x-refusals".into(), AMQPValue::LongUInt(3));
    publish(channel, DEAD, envelope, headers).await;
}

async fn publish(channel: &Channel, queue: &str, envelope: &Envelope, headers: FieldTable) {
    let properties = BasicProperties::default()
        .with_message_id(envelope.delivery_id.to_string().into())
        .with_delivery_mode(2)
        .with_headers(headers);
    let options = BasicPublishOptions::default();
    let body = envelope.encode();
    let confirm =
        channel.basic_publish(EXCHANGE.into(), queue.into(), options, &body, properties).await;
    assert!(confirm.unwrap().await.unwrap().is_ack());
}
