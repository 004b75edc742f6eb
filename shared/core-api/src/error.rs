//! What can go wrong between us and the core, told apart by what to do about it.
//!
//! No message holds a body, a token, a host or a member's id: they end up in logs and in
//! `dead_letters`. Each says the request, and the HTTP status where there was one.

use std::{error::Error as StdError, fmt, io, time::Duration};

use thiserror::Error;

use crate::{Call, Operation, resolver::PrivateAddress};

/// An answer of which less came in its time is none that comes slowly.
const SLOW: usize = 256 * 1024;
/// No login is tried for this long after the core refused one.
const REFUSED_PAUSE: Duration = Duration::from_mins(1);
/// The same after a login that found no core: four of them are the budget of a minute.
pub(crate) const OUTAGE_PAUSE: Duration = Duration::from_secs(15);

/// Why no answer of the core is at hand.
#[derive(Debug, Error)]
pub enum CoreError {
    /// There was no whole answer.
    #[error("{call}: {kind}")]
    Unreachable {
        /// What was asked.
        call: Call,
        /// How far it got.
        kind: Unreachable,
        /// The client's own words, without the address; none where we stopped waiting.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// The core, or a proxy before it, is in trouble: 5xx, 408 or 425.
    #[error("{call}: HTTP {status} (server error{})", .call.look())]
    Server {
        /// What was asked.
        call: Call,
        /// The status.
        status: u16,
        /// How long it wants to be left alone, where it said so. At most an hour.
        retry_after: Option<Duration>,
    },
    /// 429.
    #[error("{call}: HTTP 429 (too many requests{})", .call.look())]
    RateLimited {
        /// What was asked.
        call: Call,
        /// How long it wants to be left alone, where it said so. At most an hour.
        retry_after: Option<Duration>,
    },
    /// The core refused the account: a 4xx answer to the login.
    #[error("{call}: HTTP {status} (login refused{})", .call.look())]
    LoginRefused {
        /// What was asked.
        call: Call,
        /// The status.
        status: u16,
    },
    /// No login may be tried yet: the last one failed, the budget is used up, or another process has
    /// been logging in for too long.
    #[error(
        "login paused: {after}; next attempt in {} s",
        .retry_after.as_secs().max(1)
    )]
    LoginPaused {
        /// When to try again.
        retry_after: Duration,
        /// What led to it.
        after: LoginTrouble,
    },
    /// A 200 whose content is nothing that an API says: the page of a proxy, or nothing at all.
    #[error("{call}: HTTP 200 without JSON, as a proxy's maintenance page")]
    NotAnApi {
        /// What was asked.
        call: Call,
    },
    /// 401 to a call: the token is not, or no longer, good.
    #[error("{call}: HTTP 401 (token not accepted{})", .call.look())]
    Unauthorized {
        /// What was asked.
        call: Call,
    },
    /// 403 to a call: the account may not do this.
    #[error("{call}: HTTP 403 (no permission{})", .call.look())]
    Forbidden {
        /// What was asked.
        call: Call,
    },
    /// 404.
    #[error("{call}: HTTP 404 (not found{})", .call.look())]
    NotFound {
        /// What was asked.
        call: Call,
    },
    /// 410.
    #[error("{call}: HTTP 410 (gone{})", .call.look())]
    Gone {
        /// What was asked.
        call: Call,
    },
    /// The core answered something that we do not understand.
    #[error("{call}: {why}{}", .call.look())]
    BadResponse {
        /// What was asked.
        call: Call,
        /// What is wrong with it.
        why: BadAnswer,
    },
    /// The answer is larger than the client's limit.
    #[error("{call}: the answer is too large")]
    TooLarge {
        /// What was asked.
        call: Call,
    },
}

/// How far a request got that has no whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unreachable {
    /// No connection.
    Connect,
    /// A connection, but no trust: the certificate or the protocol.
    Tls,
    /// The host's name leads to a private address that nobody allowed.
    PrivateAddress,
    /// It took too long.
    Timeout,
    /// It took too long, though its answer was coming all the while.
    Slow,
    /// The connection ended in the middle.
    Interrupted,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Connect => "connection failed",
            Self::Tls => "TLS certificate or protocol not accepted",
            Self::PrivateAddress => {
                "the host has a private address and is not named in CORE_URLS_ALLOW"
            }
            Self::Timeout => "timeout: no answer in time",
            Self::Slow => "timeout: the answer came too slowly",
            Self::Interrupted => "the connection was closed before the answer was complete",
        })
    }
}

/// What led to a pause of logins. A pause is ours, and says of the core what was said before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoginTrouble {
    /// The core refused the account.
    Refused,
    /// The core could not be reached, or could not answer.
    Away,
    /// The core answered something that we do not understand.
    BadAnswer,
    /// No login failed; the core allows no more of them.
    Budget,
}

impl LoginTrouble {
    /// All but [`Self::Budget`], which no failure leads to.
    const FAILURES: [Self; 3] = [Self::Refused, Self::Away, Self::BadAnswer];

    /// The word in the row that all processes share.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Away => "away",
            Self::BadAnswer => "bad_answer",
            Self::Budget => "budget",
        }
    }

    /// The failure that the word in the row stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::FAILURES.into_iter().find(|trouble| trouble.as_str() == word)
    }
}

impl fmt::Display for LoginTrouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Refused => "the core refused the last login",
            Self::Away => "the core could not be reached or failed at the last login",
            Self::BadAnswer => "the core's answer to the last login was not understood",
            Self::Budget => "the logins allowed to this host in a minute are used up",
        })
    }
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadAnswer {
    /// A status that means nothing here.
    #[error("HTTP {0} (unexpected status)")]
    Status(u16),
    /// Redirects stay on the same scheme, host and port, and end after three.
    #[error("redirect to another host, or without end")]
    Redirect,
    /// The body cannot be parsed.
    #[error("the answer is not valid JSON (line {line}, column {column})")]
    NotJson {
        /// Where, the first line being 1.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// The JSON is not of a shape that we know.
    #[error("the answer has an unknown shape")]
    UnknownShape,
    /// A member without an id.
    #[error("the answer has a member without an id")]
    NoId,
    /// Another member than the one asked for.
    #[error("the answer is another member")]
    OtherMember,
    /// More pages are promised, and this one is empty.
    #[error("the page is empty though more are said to follow")]
    EmptyPage,
    /// The login's answer has no usable token.
    #[error("the answer has no usable token")]
    NoToken,
    /// The id cannot be asked for: it is empty, or made of dots.
    #[error("the member's id cannot be part of an address")]
    UnaskableId,
}

impl CoreError {
    /// How long the core wants to be left alone, where it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Server { retry_after, .. } | Self::RateLimited { retry_after, .. } => {
                *retry_after
            }
            Self::LoginPaused { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// What was being asked.
    pub fn operation(&self) -> Operation {
        self.call().map_or(Operation::LogIn, Call::operation)
    }

    /// The request that failed; none where a pause kept it from being sent.
    pub fn call(&self) -> Option<&Call> {
        match self {
            Self::Unreachable { call, .. }
            | Self::Server { call, .. }
            | Self::RateLimited { call, .. }
            | Self::LoginRefused { call, .. }
            | Self::Unauthorized { call }
            | Self::Forbidden { call }
            | Self::NotFound { call }
            | Self::Gone { call }
            | Self::BadResponse { call, .. }
            | Self::NotAnApi { call }
            | Self::TooLarge { call } => Some(call),
            Self::LoginPaused { .. } => None,
        }
    }

    /// How long nobody logs in after a login that failed so: the same for every program, so that an
    /// operator's trial keeps the workers waiting no longer than their own would.
    pub fn login_pause(&self) -> Duration {
        match self {
            Self::LoginRefused { .. } => REFUSED_PAUSE,
            Self::RateLimited { retry_after, .. } => retry_after.unwrap_or(REFUSED_PAUSE),
            other => other.retry_after().unwrap_or(OUTAGE_PAUSE),
        }
    }

    /// What a pause says that follows upon this failure of a login.
    pub fn login_trouble(&self) -> LoginTrouble {
        match self {
            Self::Unreachable { .. }
            | Self::Server { .. }
            | Self::RateLimited { .. }
            | Self::NotAnApi { .. } => LoginTrouble::Away,
            Self::BadResponse { .. } | Self::TooLarge { .. } => LoginTrouble::BadAnswer,
            Self::LoginPaused { after, .. } => *after,
            _ => LoginTrouble::Refused,
        }
    }

    /// A request whose whole answer took too long.
    pub(crate) fn slow(call: Call) -> Self {
        Self::Unreachable { call, kind: Unreachable::Timeout, source: None }
    }

    /// The same of an answer of which so many bytes had come.
    pub(crate) fn slow_after(call: Call, bytes: usize) -> Self {
        let kind = if bytes >= SLOW { Unreachable::Slow } else { Unreachable::Timeout };
        Self::Unreachable { call, kind, source: None }
    }

    /// A request that failed before its answer began.
    pub(crate) fn sending(call: Call, source: reqwest::Error) -> Self {
        let kind = if source.is_timeout() {
            Unreachable::Timeout
        } else if has_cause::<PrivateAddress>(&source) {
            Unreachable::PrivateAddress
        } else if has_cause::<rustls::Error>(&source) {
            Unreachable::Tls
        } else if source.is_connect() {
            Unreachable::Connect
        } else {
            Unreachable::Interrupted
        };
        Self::Unreachable { call, kind, source: Some(source.without_url()) }
    }

    /// An answer that failed while its body came.
    pub(crate) fn reading(call: Call, source: reqwest::Error) -> Self {
        let kind =
            if source.is_timeout() { Unreachable::Timeout } else { Unreachable::Interrupted };
        Self::Unreachable { call, kind, source: Some(source.without_url()) }
    }
}

/// Whether an error of type `E` is among the causes. An `io::Error` has to be opened: it names its inner
/// error's source as its own, and so skips the inner error itself.
fn has_cause<E: StdError + 'static>(error: &(dyn StdError + 'static)) -> bool {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<E>()
        || inner.is_some_and(|inner| has_cause::<E>(inner))
        || error.source().is_some_and(|source| has_cause::<E>(source))
}
