//! What can go wrong between us and the core, told apart by what to do about it.
//!
//! No message holds a body, a token, an address or a member's id: they end up in logs and in
//! `dead_letters`.

use std::{error::Error as StdError, fmt, io, time::Duration};

use thiserror::Error;

use crate::resolver::PrivateAddress;

/// An answer of which less came in its time is none that comes slowly.
const SLOW: usize = 256 * 1024;

/// What was being asked of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Getting a token.
    LogIn,
    /// Asking for one member by id.
    FetchMember,
    /// Asking for a page of the member list.
    ListMembers,
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LogIn => "logging in to the core",
            Self::FetchMember => "fetching a member from the core",
            Self::ListMembers => "listing the core's members",
        })
    }
}

/// Why no answer of the core is at hand.
#[derive(Debug, Error)]
pub enum CoreError {
    /// There was no whole answer.
    #[error("{operation}: {kind}")]
    Unreachable {
        /// What was asked.
        operation: Operation,
        /// How far it got.
        kind: Unreachable,
        /// The client's own words, without the address; none where we stopped waiting.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// The core, or a proxy before it, is in trouble: 5xx, 408 or 425.
    #[error("{operation}: it answered with status {status}")]
    Server {
        /// What was asked.
        operation: Operation,
        /// The status.
        status: u16,
        /// How long it wants to be left alone, where it said so. At most an hour.
        retry_after: Option<Duration>,
    },
    /// 429.
    #[error("{operation}: it answered that there were too many requests")]
    RateLimited {
        /// What was asked.
        operation: Operation,
        /// How long it wants to be left alone, where it said so. At most an hour.
        retry_after: Option<Duration>,
    },
    /// The core refused the account: a 4xx answer to the login.
    #[error("logging in to the core: it refused with status {status}")]
    LoginRefused {
        /// The status.
        status: u16,
    },
    /// No login may be tried yet: the last one failed, the budget is used up, or another process has
    /// been logging in for too long.
    #[error(
        "logging in to the core: {after}, and none is tried before {} s have passed",
        .retry_after.as_secs().max(1)
    )]
    LoginPaused {
        /// When to try again.
        retry_after: Duration,
        /// What led to it.
        after: LoginTrouble,
    },
    /// A 200 whose content is nothing that an API says: the page of a proxy, or nothing at all.
    #[error("{operation}: it answered with no JSON at all, as under maintenance")]
    NotAnApi {
        /// What was asked.
        operation: Operation,
    },
    /// 401 to a call: the token is not, or no longer, good.
    #[error("{operation}: it did not accept the token")]
    Unauthorized {
        /// What was asked.
        operation: Operation,
    },
    /// 403 to a call: the account may not do this.
    #[error("{operation}: it answered that the account may not")]
    Forbidden {
        /// What was asked.
        operation: Operation,
    },
    /// 404.
    #[error("{operation}: it answered that there is none")]
    NotFound {
        /// What was asked.
        operation: Operation,
    },
    /// 410.
    #[error("{operation}: it answered that it is gone")]
    Gone {
        /// What was asked.
        operation: Operation,
    },
    /// The core answered something that we do not understand.
    #[error("{operation}: {why}")]
    BadResponse {
        /// What was asked.
        operation: Operation,
        /// What is wrong with it.
        why: BadAnswer,
    },
    /// The answer is larger than the client's limit.
    #[error("{operation}: its answer is too large")]
    TooLarge {
        /// What was asked.
        operation: Operation,
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
            Self::Connect => "it cannot be connected to",
            Self::Tls => "its TLS cannot be trusted",
            Self::PrivateAddress => {
                "its host has a private address, and is not named in CORE_URLS_ALLOW"
            }
            Self::Timeout => "it took too long to answer",
            Self::Slow => "its answer came too slowly",
            Self::Interrupted => "the connection ended in the middle of the answer",
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
            Self::Refused => "it refused the last login",
            Self::Away => "it could not answer the last login",
            Self::BadAnswer => "its answer to the last login made no sense",
            Self::Budget => "it allows no more logins a minute",
        })
    }
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadAnswer {
    /// A status that means nothing here.
    #[error("it answered with status {0}")]
    Status(u16),
    /// Redirects stay on the same scheme, host and port, and end after three.
    #[error("it redirects to another host, or for ever")]
    Redirect,
    /// The body cannot be parsed.
    #[error("its answer is not JSON (line {line}, column {column})")]
    NotJson {
        /// Where, the first line being 1.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// The JSON is not of a shape that we know.
    #[error("its answer has an unknown shape")]
    UnknownShape,
    /// A member without an id.
    #[error("its answer has a member without an id")]
    NoId,
    /// Another member than the one asked for.
    #[error("it answered with another member")]
    OtherMember,
    /// More pages are promised, and this one is empty.
    #[error("its page is empty though more are said to follow")]
    EmptyPage,
    /// The login's answer has no usable token.
    #[error("its answer has no usable token")]
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
        match self {
            Self::Unreachable { operation, .. }
            | Self::Server { operation, .. }
            | Self::RateLimited { operation, .. }
            | Self::Unauthorized { operation }
            | Self::Forbidden { operation }
            | Self::NotFound { operation }
            | Self::Gone { operation }
            | Self::BadResponse { operation, .. }
            | Self::NotAnApi { operation }
            | Self::TooLarge { operation } => *operation,
            Self::LoginRefused { .. } | Self::LoginPaused { .. } => Operation::LogIn,
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
    pub(crate) fn slow(operation: Operation) -> Self {
        Self::Unreachable { operation, kind: Unreachable::Timeout, source: None }
    }

    /// The same of an answer of which so many bytes had come.
    pub(crate) fn slow_after(operation: Operation, bytes: usize) -> Self {
        let kind = if bytes >= SLOW { Unreachable::Slow } else { Unreachable::Timeout };
        Self::Unreachable { operation, kind, source: None }
    }

    /// A request that failed before its answer began.
    pub(crate) fn sending(operation: Operation, source: reqwest::Error) -> Self {
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
        Self::Unreachable { operation, kind, source: Some(source.without_url()) }
    }

    /// An answer that failed while its body came.
    pub(crate) fn reading(operation: Operation, source: reqwest::Error) -> Self {
        let kind =
            if source.is_timeout() { Unreachable::Timeout } else { Unreachable::Interrupted };
        Self::Unreachable { operation, kind, source: Some(source.without_url()) }
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
