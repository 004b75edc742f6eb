//! A refused webhook, with what is known of it beside the reason: for logs, metrics and the audit.

use uuid::Uuid;

use crate::webhook::{
    refusal::{Refusal, Unavailable},
    refused::clue::Clue,
};

/// A refused webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Declined {
    pub(crate) refusal: Refusal,
    /// The campus that it names, once that was looked up.
    pub(crate) campus: Option<Uuid>,
    /// What its signature looks like, where that was what was wrong.
    pub(crate) clue: Option<Clue>,
}

impl Declined {
    /// Of a campus that is known.
    pub(crate) fn by(campus: Uuid) -> impl Fn(Refusal) -> Self {
        move |refusal| Self { refusal, campus: Some(campus), clue: None }
    }

    /// Whether a change is missed with it that only a reconciliation finds (rule gateway-7): the sender does not try again. Nobody who cannot sign may bring one about, but where no signature can be checked.
    pub(crate) fn leaves_gap(self) -> bool {
        match self.refusal {
            Refusal::RateLimited { .. } | Refusal::Unavailable(Unavailable::NoCampuses) => true,
            Refusal::Unavailable(_) => self.campus.is_some(),
            _ => false,
        }
    }
}

impl<R: Into<Refusal>> From<R> for Declined {
    fn from(refusal: R) -> Self {
        Self { refusal: refusal.into(), campus: None, clue: None }
    }
}
