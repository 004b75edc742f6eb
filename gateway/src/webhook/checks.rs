//! The checks of a webhook that need nothing but its bytes and the campuses (interface §2, rows 3 to 10; rule gateway-3),
//! and who is told when one of them refuses.

use std::{net::IpAddr, sync::Arc, time::Instant};

use campus::{Campus, Directory};
use chrono::{DateTime, Utc};
use runtime::Trace;
use uuid::Uuid;

use crate::webhook::{
    limiter::Limiter,
    payload::{Address, Payload},
    refusal::{Refusal, Unavailable},
    refused::{
        audit::{Audit, Refused},
        clue::{Clue, Examiner},
        declined::Declined,
    },
    signature::Signature,
    timestamp,
};

/// What the checks count with, and whom they tell.
pub(crate) struct Checks {
    pub(crate) limiter: Limiter<Uuid>,
    pub(crate) audit: Audit,
    pub(crate) examiner: Examiner,
}

/// What comes with a body.
#[derive(Clone)]
pub(crate) struct RequestContext {
    pub(crate) signature: Signature,
    pub(crate) origin: IpAddr,
    pub(crate) trace: Trace,
}

/// A verified event, and whose it is.
pub(crate) struct VerifiedEvent {
    pub(crate) campus: Arc<Campus>,
    pub(crate) payload: Payload,
    pub(crate) received_at: DateTime<Utc>,
}

impl Checks {
    pub(crate) fn pass(
        &self,
        context: &RequestContext,
        body: &[u8],
        directory: Option<&Directory>,
    ) -> Result<VerifiedEvent, Declined> {
        let received_at = timestamp::to_microseconds(Utc::now());
        let address = Address::read(body)?;
        let directory = directory.ok_or(Unavailable::NoCampuses)?;
        let campus = directory.find(address.name()).ok_or(Refusal::UnknownCampus)?;
        // From here on the campus is known, and its operator wants to know what is refused.
        let payload = self
            .open(context.signature, body, campus, received_at)
            .map_err(|refusal| self.decline(refusal, context, body, campus, received_at))?;
        Ok(VerifiedEvent { campus: Arc::clone(campus), payload, received_at })
    }

    /// What a campus's own sender wrote.
    fn open(
        &self,
        signature: Signature,
        body: &[u8],
        campus: &Campus,
        received_at: DateTime<Utc>,
    ) -> Result<Payload, Refusal> {
        let verified =
            signature.verify(body, campus.secrets.good_at(received_at)).map_err(|wrong| {
                // It may well be right, under the secret that does not open.
                let is_known = campus.secrets.current.is_some() || signature.oddity().is_some();
                if is_known { wrong } else { Unavailable::Sealed.into() }
            })?;
        if !campus.is_enabled {
            return Err(Refusal::Disabled);
        }
        let payload = Payload::decode(verified, received_at)?;
        self.limit(campus)?;
        Ok(payload)
    }

    fn limit(&self, campus: &Campus) -> Result<(), Refusal> {
        let Some(limit) = campus.rate_limit else { return Ok(()) };
        self.limiter
            .take(campus.id, limit, Instant::now())
            .map_err(|retry_after| Refusal::RateLimited { retry_after })
    }

    /// Tells the campus's operator, within what a flood may cost (rule gateway-9).
    fn decline(
        &self,
        refusal: Refusal,
        context: &RequestContext,
        body: &[u8],
        campus: &Campus,
        received_at: DateTime<Utc>,
    ) -> Declined {
        let is_audited = self.audit.admits(campus.id, refusal);
        let clue = match refusal {
            Refusal::InvalidSignature if is_audited => {
                let secrets: Vec<_> = campus.secrets.good_at(received_at).collect();
                self.examiner.examine(context.signature, body, &secrets)
            }
            Refusal::InvalidSignature => Clue::of_form(context.signature),
            _ => None,
        };
        let declined = Declined { refusal, campus: Some(campus.id), clue };
        if is_audited {
            let RequestContext { origin, ref trace, .. } = *context;
            self.audit.send(&Refused {
                campus: campus.id,
                declined,
                origin,
                body,
                received_at,
                trace,
            });
        }
        declined
    }
}
