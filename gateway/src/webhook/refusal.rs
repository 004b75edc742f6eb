//! Why a webhook is not accepted: every status and text of interface §2's table of checks.

use std::time::Duration;

use hyper::StatusCode;
use queue::PublishError;

/// A check that a webhook did not pass. Nothing of it goes further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The head is no HTTP/1.1 request, or names no host, or two.
    BadRequest,
    /// The head is larger than any sender's.
    HeadTooLarge,
    /// The path is not the webhook's.
    NotFound,
    /// The method is not POST.
    MethodNotAllowed,
    /// There is no signature header, or it is empty.
    MissingSignature,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The body stalled, or took too long as a whole.
    SlowBody,
    /// The body is not a JSON object.
    InvalidJson,
    /// The body names no church and no campus.
    MissingCampus,
    /// No campus goes by the name that the body gives.
    UnknownCampus,
    /// No good secret of the campus signed these bytes.
    InvalidSignature,
    /// The campus's sync is switched off.
    Disabled,
    /// The body names no type of event.
    MissingEventType,
    /// A member event names no member.
    MissingMember,
    /// The campus sends more than it may.
    RateLimited {
        /// When it may send again.
        retry_after: Duration,
    },
    /// The event could not be durably queued.
    Unavailable(Unavailable),
}

/// What keeps an event from being durably queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// No campus could be read from Postgres since the start.
    NoCampuses,
    /// The campus is configured, and its secret does not open with `SECRETS_KEY`.
    Sealed,
    /// The bodies in flight take all the memory they may.
    Memory,
    /// RabbitMQ has not confirmed within the time that the sender waits.
    Slow,
    /// RabbitMQ is away, blocked, full or busy.
    Queue(PublishError),
}

/// When a sender may try again after a 503: by then most restarts of a broker are over.
const RETRY_UNAVAILABLE: Duration = Duration::from_secs(5);

impl Refusal {
    /// The answer's status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::NotFound | Self::UnknownCampus => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::MissingSignature | Self::InvalidSignature => StatusCode::UNAUTHORIZED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::BadRequest
            | Self::InvalidJson
            | Self::MissingCampus
            | Self::MissingEventType
            | Self::MissingMember => StatusCode::BAD_REQUEST,
            Self::Disabled => StatusCode::FORBIDDEN,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The answer's body.
    pub fn body(self) -> &'static str {
        match self {
            Self::BadRequest => r#"{"detail":"Bad Request"}"#,
            Self::HeadTooLarge => r#"{"detail":"Request Header Fields Too Large"}"#,
            Self::NotFound => r#"{"detail":"Not Found"}"#,
            Self::MethodNotAllowed => r#"{"detail":"Method Not Allowed"}"#,
            Self::MissingSignature => r#"{"detail":"Missing webhook signature"}"#,
            Self::BodyTooLarge => r#"{"detail":"Request body too large"}"#,
            Self::SlowBody => r#"{"detail":"Request body too slow"}"#,
            Self::InvalidJson => r#"{"detail":"Invalid JSON payload"}"#,
            Self::MissingCampus => r#"{"detail":"Missing campus_id in payload"}"#,
            Self::UnknownCampus => r#"{"detail":"Sync not configured for this campus"}"#,
            Self::InvalidSignature => r#"{"detail":"Invalid webhook signature"}"#,
            Self::Disabled => r#"{"detail":"Sync is disabled for this campus"}"#,
            Self::MissingEventType => r#"{"detail":"Missing event_type in payload"}"#,
            Self::MissingMember => r#"{"detail":"Missing member_id in payload"}"#,
            Self::RateLimited { .. } => r#"{"detail":"Too many requests"}"#,
            Self::Unavailable(_) => r#"{"detail":"Event queue unavailable"}"#,
        }
    }

    /// Whether what was refused had been signed with the campus's secret, once the campus was known.
    pub(crate) fn is_of_verified(self) -> bool {
        !matches!(self, Self::InvalidSignature | Self::Unavailable(Unavailable::Sealed))
    }

    /// The answer in words, for the audit.
    pub(crate) fn sentence(self) -> String {
        let detail = self.body().trim_start_matches(r#"{"detail":""#).trim_end_matches(r#""}"#);
        format!("Refused with status {}: {detail}.", self.status().as_u16())
    }

    /// When the sender may try again, where waiting helps.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => Some(retry_after),
            Self::Unavailable(_) => Some(RETRY_UNAVAILABLE),
            _ => None,
        }
    }

    /// The reason as a metric label and in log lines.
    pub fn label(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::HeadTooLarge => "head_too_large",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::MissingSignature => "missing_signature",
            Self::BodyTooLarge => "body_too_large",
            Self::SlowBody => "slow_body",
            Self::InvalidJson => "invalid_json",
            Self::MissingCampus => "missing_campus",
            Self::UnknownCampus => "unknown_campus",
            Self::InvalidSignature => "invalid_signature",
            Self::Disabled => "disabled",
            Self::MissingEventType => "missing_event_type",
            Self::MissingMember => "missing_member",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable(cause) => cause.label(),
        }
    }

    /// Every label, so that each is a metric from the start.
    pub(crate) const LABELS: [&str; 22] = [
        "bad_request",
        "head_too_large",
        "not_found",
        "method_not_allowed",
        "missing_signature",
        "body_too_large",
        "slow_body",
        "invalid_json",
        "missing_campus",
        "unknown_campus",
        "invalid_signature",
        "disabled",
        "missing_event_type",
        "missing_member",
        "rate_limited",
        "no_campuses",
        "secret_unreadable",
        "memory",
        "queue_slow",
        "queue_away",
        "queue_blocked",
        "queue_refused",
    ];
}

impl Unavailable {
    fn label(self) -> &'static str {
        match self {
            Self::NoCampuses => "no_campuses",
            Self::Sealed => "secret_unreadable",
            Self::Memory => "memory",
            Self::Slow => "queue_slow",
            Self::Queue(PublishError::Away) => "queue_away",
            Self::Queue(PublishError::Blocked) => "queue_blocked",
            Self::Queue(PublishError::Refused) => "queue_refused",
        }
    }
}

impl From<Unavailable> for Refusal {
    fn from(cause: Unavailable) -> Self {
        Self::Unavailable(cause)
    }
}
