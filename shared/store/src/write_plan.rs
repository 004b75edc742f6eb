//! What a batch writes to `members`, `member_photos` and the log of deliveries, put together before the first
//! statement is sent.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::{
    DeliveryStatus, Effect, Finding, LogLine, Observation,
    decide::{Change, Decision, decide, kept_out, outcome, status},
    delivery_log::DUPLICATE,
    link::Linked,
    members::{Existing, NewRow},
    photos::PhotoChange,
};

/// What a batch writes.
#[derive(Default)]
pub(crate) struct WritePlan<'a> {
    pub(crate) inserts: Vec<NewRow<'a>>,
    pub(crate) updates: Vec<NewRow<'a>>,
    applied: Vec<&'a Observation>,
    pub(crate) lines: Vec<LogLine>,
}

impl<'a> WritePlan<'a> {
    /// A finding that was claimed: what it does to the row, and how its deliveries end.
    pub(crate) fn apply(
        &mut self,
        observation: &'a Observation,
        row: Option<&Existing>,
        linked: Option<Linked>,
        is_withheld: bool,
    ) -> Effect {
        let columns = row.map(|row| &row.columns);
        let mut decision = decide(columns, &observation.finding);
        let effect = Effect::of(columns, &mut decision, linked, is_withheld);
        let Decision { change, message } = decision;
        self.log(observation, &message, |event_type| {
            status(event_type, &observation.finding, &change)
        });
        let new_row =
            |columns| NewRow { campus: observation.campus, member: &observation.member, columns };
        match change {
            Change::Insert(columns) => self.inserts.push(new_row(columns)),
            Change::Update(Some(columns)) => self.updates.push(new_row(columns)),
            Change::Update(None) | Change::Nothing => {}
        }
        self.applied.push(observation);
        effect
    }

    /// A read that began later is in: these deliveries are part of it. It showed the member alive,
    /// so a delete among them is stale; and where it made no row, the filter keeps the member out.
    pub(crate) fn cover(&mut self, observation: &Observation, row: Option<&Existing>) {
        let (message, status) = match row {
            Some(row) => (outcome("updated", row.columns.name()), DeliveryStatus::Processed),
            None => (kept_out(observation.finding.name()), DeliveryStatus::Filtered),
        };
        self.log(observation, &message, |event_type| {
            if *event_type == event::EventType::MemberDeleted {
                DeliveryStatus::Stale
            } else {
                status
            }
        });
    }

    /// One line for each delivery; of duplicates in one group the first counts.
    fn log(
        &mut self,
        observation: &Observation,
        message: &str,
        status: impl Fn(&event::EventType) -> DeliveryStatus,
    ) {
        let mut seen = HashSet::new();
        for entry in &observation.entries {
            let envelope = &entry.envelope;
            let first = seen.insert((&envelope.event_id, envelope.event_type.as_str()));
            let (status, message) = if first {
                (status(&envelope.event_type), message)
            } else {
                (DeliveryStatus::Duplicate, DUPLICATE)
            };
            self.lines.push(LogLine {
                entry: entry.clone(),
                status,
                message: Some(message.to_owned()),
                error: None,
                config_version: Some(observation.config_version),
                attempt: None,
            });
        }
    }

    /// The photos of those whose findings were claimed.
    pub(crate) fn photos(
        &self,
        existing: &HashMap<(Uuid, String), Existing>,
        created: &HashMap<(Uuid, String), Uuid>,
    ) -> Vec<PhotoChange<'a>> {
        self.applied
            .iter()
            .filter_map(|observation| {
                let Finding::Read(verdict) = &observation.finding else { return None };
                let key = (observation.campus, observation.member.clone());
                let member =
                    existing.get(&key).map(|row| row.id).or_else(|| created.get(&key).copied())?;
                Some(PhotoChange {
                    campus: observation.campus,
                    member,
                    photo: &verdict.profile()?.photo,
                })
            })
            .collect()
    }
}
