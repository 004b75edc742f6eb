//! The record of every webhook and every try of it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::webhook::timestamp_now;

/// What has become of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Not accepted yet; tries are to come.
    Pending,
    /// Some try was answered with 200, 201 or 202.
    Delivered,
    /// Every try failed, and the sender has given up.
    Dropped,
}

/// A webhook and its tries.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// The body's `event_id`.
    pub event_id: String,
    /// The body's `event_type`.
    pub event_type: String,
    /// The church whose webhook it is.
    pub church_id: String,
    /// The body's `member_id`.
    pub member_id: Option<String>,
    /// When it arose, RFC 3339.
    pub created_at: String,
    /// What has become of it.
    pub state: DeliveryState,
    /// The tries so far, in the order in which they ended.
    pub attempts: Vec<Attempt>,
    /// Copies still trying: two where it was posted twice on purpose.
    #[serde(skip)]
    copies: usize,
}

/// One try.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// Which try of its copy, from 1.
    pub number: usize,
    /// When it began, RFC 3339.
    pub at: String,
    /// The answer's status.
    pub status: Option<u16>,
    /// Why there was no answer: `timeout`, `connect`, `broken`, `not configured`.
    pub error: Option<&'static str>,
    /// Milliseconds until the answer, or until it was given up.
    pub latency_ms: f64,
}

impl Attempt {
    /// Whether FaithFlow counts it as delivered.
    pub fn is_delivered(&self) -> bool {
        matches!(self.status, Some(200..=202))
    }
}

/// All deliveries, oldest first.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    deliveries: Vec<Delivery>,
    by_event: HashMap<String, usize>,
}

impl Ledger {
    pub(super) fn open(
        &self,
        event_id: &str,
        event_type: &str,
        church_id: &str,
        member_id: Option<&str>,
        copies: usize,
    ) {
        let mut pages = self.lock();
        if let Some(delivery) = pages.find(event_id) {
            // The same event sent again by hand.
            delivery.copies += copies;
            return;
        }
        let index = pages.deliveries.len();
        pages.by_event.insert(event_id.to_owned(), index);
        pages.deliveries.push(Delivery {
            event_id: event_id.to_owned(),
            event_type: event_type.to_owned(),
            church_id: church_id.to_owned(),
            member_id: member_id.map(str::to_owned),
            created_at: timestamp_now(),
            state: DeliveryState::Pending,
            attempts: Vec::new(),
            copies,
        });
    }

    pub(super) fn tried(&self, event_id: &str, attempt: Attempt) {
        if let Some(delivery) = self.lock().find(event_id) {
            if attempt.is_delivered() {
                delivery.state = DeliveryState::Delivered;
            }
            delivery.attempts.push(attempt);
        }
    }

    /// One copy has ended, delivered or not.
    pub(super) fn ended(&self, event_id: &str) {
        if let Some(delivery) = self.lock().find(event_id) {
            delivery.copies = delivery.copies.saturating_sub(1);
            if delivery.copies == 0 && delivery.state == DeliveryState::Pending {
                delivery.state = DeliveryState::Dropped;
            }
        }
    }

    pub(super) fn all(&self, wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        self.lock().deliveries.iter().filter(|delivery| wanted(delivery)).cloned().collect()
    }

    pub(super) fn get(&self, event_id: &str) -> Option<Delivery> {
        self.lock().find(event_id).cloned()
    }

    pub(super) fn clear(&self) {
        *self.lock() = Pages::default();
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn find(&mut self, event_id: &str) -> Option<&mut Delivery> {
        let index = *self.by_event.get(event_id)?;
        self.deliveries.get_mut(index)
    }
}
