//! What happens in the core: people come, change, leave and return, and each change is told by a
//! webhook.

use std::time::Duration;

use core_sim::{CoreSim, Webhook};
use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{plan::Plan, test_bed::TestBed};

/// Share of the changes that strike the same few people, so that events of one person meet.
const HOT: f64 = 0.3;
const HOT_PEOPLE: usize = 8;

/// Somebody whom a webhook told of.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) church: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Alive { active: bool },
    InTrash,
    Purged,
}

/// The source of all changes.
pub(super) struct Changes<'a> {
    core: &'a CoreSim,
    churches: Vec<String>,
    random: StdRng,
    people: Vec<Person>,
    most: usize,
    version: u64,
}

impl<'a> Changes<'a> {
    pub(super) fn new(bed: &'a TestBed, plan: &Plan, random: StdRng) -> Self {
        Self {
            core: &bed.system.core,
            churches: bed.campuses.keys().cloned().collect(),
            random,
            people: Vec::new(),
            most: plan.members * plan.campuses,
            version: 0,
        }
    }

    /// Makes `rate` changes a second until `stop`, and answers how many it made.
    pub(super) async fn make(&mut self, rate: u32, stop: &CancellationToken) -> u64 {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.version += 1;
            self.change_somebody();
        }
        self.version
    }

    /// Everybody who was ever told of.
    pub(super) fn people(&self) -> &[Person] {
        &self.people
    }

    fn change_somebody(&mut self) {
        // The most come early: then there is somebody to change.
        let room = self.people.len() < self.most;
        if self.people.is_empty() || (room && self.random.random_bool(0.2)) {
            return self.create();
        }
        let few = if self.random.random_bool(HOT) { HOT_PEOPLE } else { usize::MAX };
        let index = self.random.random_range(0..self.people.len().min(few));
        let id = self.people[index].id.clone();
        let dice = self.random.random_range(0..100);
        self.people[index].state = match self.people[index].state {
            State::Alive { .. } if dice < 8 => {
                self.core.delete(&id, Webhook::Forced).unwrap();
                State::InTrash
            }
            State::Alive { active } if dice < 14 => {
                self.patch(&id, &json!({ "is_active": !active }));
                State::Alive { active: !active }
            }
            State::Alive { active } => {
                let values = self.values();
                self.patch(&id, &values);
                State::Alive { active }
            }
            State::InTrash if dice < 70 => {
                self.core.restore(&id, Webhook::Forced).unwrap();
                State::Alive { active: true }
            }
            // Nobody who is changed often: the rest of the run would be poorer.
            State::InTrash if dice < 75 && index >= HOT_PEOPLE => {
                self.core.purge(&id, Webhook::Forced).unwrap();
                State::Purged
            }
            gone => {
                self.core.send_event(&self.people[index].church, "member.deleted", &id).unwrap();
                gone
            }
        };
    }

    fn create(&mut self) {
        let church = self.churches[self.random.random_range(0..self.churches.len())].clone();
        let created = self.core.create(&church, document(self.values()), Webhook::Forced).unwrap();
        let id = created.member.text("id").unwrap().to_owned();
        self.people.push(Person { id, church, state: State::Alive { active: true } });
    }

    fn patch(&self, id: &str, fields: &Value) {
        self.core.change(id, document(fields.clone()), Webhook::Forced).unwrap();
    }

    /// A name with the version in it, which the oracle reads, and some other values.
    fn values(&mut self) -> Value {
        let mut values = json!({ "full_name": format!("Somebody, version {}", self.version) });
        let random = &mut self.random;
        let chosen = match random.random_range(0..4) {
            0 => {
                ("phone_whatsapp", json!(format!("0812{:07}", random.random_range(0..10_000_000))))
            }
            1 => (
                "gender",
                [json!("Male"), json!("Female"), Value::Null][random.random_range(0..3)].clone(),
            ),
            2 => (
                "date_of_birth",
                json!(format!(
                    "19{}-0{}-1{}",
                    random.random_range(50..100),
                    random.random_range(1..10),
                    random.random_range(0..10)
                )),
            ),
            _ => (
                "member_status",
                [json!("Full Member"), json!("Visitor"), Value::Null][random.random_range(0..3)]
                    .clone(),
            ),
        };
        values[chosen.0] = chosen.1;
        values
    }
}

fn document(fields: Value) -> core_sim::Document {
    fields.into()
}
