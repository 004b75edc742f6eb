//! A request to the core, as logs and people are told of it: method, path without ids, and what its answer looked like.
//!
//! A member's id is a person's, and the host is in the campus's configuration: neither is told.

use std::{fmt, sync::Arc};

use reqwest::header::{CONTENT_TYPE, HeaderMap};

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

impl Operation {
    /// The HTTP method.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::LogIn => "POST",
            Self::FetchMember | Self::ListMembers => "GET",
        }
    }

    /// The path where a campus does not say otherwise.
    fn usual_path(self) -> &'static str {
        match self {
            Self::LogIn => "/api/auth/login",
            Self::FetchMember => "/api/members/{id}",
            Self::ListMembers => "/api/members/",
        }
    }
}

/// What an answer looked like: a proxy before the core answers with the same statuses and means something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Responder {
    /// JSON, as the core answers.
    Core,
    /// A page or plain text, as proxies answer.
    Proxy,
    /// No type of content was named.
    Unknown,
}

impl Responder {
    fn of(headers: &HeaderMap) -> Self {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        match kind.map(str::to_ascii_lowercase) {
            Some(kind) if kind.contains("json") => Self::Core,
            Some(kind) if !kind.is_empty() => Self::Proxy,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Responder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Core => "in JSON as from the core",
            Self::Proxy => "not in JSON, as from a proxy",
            Self::Unknown => "without content type",
        })
    }
}

/// A request: `GET /api/members/{id}`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    operation: Operation,
    path: Arc<str>,
    responder: Option<Responder>,
}

impl Call {
    /// A request whose path, without ids, is `path`.
    pub(crate) fn new(operation: Operation, path: &str) -> Self {
        Self { operation, path: path.into(), responder: None }
    }

    /// The same once it was answered with these headers.
    #[must_use]
    pub(crate) fn answered(self, headers: &HeaderMap) -> Self {
        Self { responder: Some(Responder::of(headers)), ..self }
    }

    /// What was asked.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The path without ids.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the answer looked like; none where there was none.
    pub fn responder(&self) -> Option<Responder> {
        self.responder
    }

    /// `, not in JSON, as from a proxy`; nothing where there was no answer.
    pub(crate) fn look(&self) -> String {
        self.responder.map_or_else(String::new, |responder| format!(", {responder}"))
    }
}

/// Where it is not known which campus it was for.
impl From<Operation> for Call {
    fn from(operation: Operation) -> Self {
        Self::new(operation, operation.usual_path())
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.operation.method(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn an_answer_tells_who_gave_it() {
        let look = |kind: &'static str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            Call::from(Operation::FetchMember).answered(&headers).responder()
        };
        assert_eq!(look("application/json"), Some(Responder::Core));
        assert_eq!(look("application/problem+JSON; charset=utf-8"), Some(Responder::Core));
        assert_eq!(look("text/html"), Some(Responder::Proxy));
        assert_eq!(look(""), Some(Responder::Unknown));
        assert_eq!(Call::from(Operation::FetchMember).to_string(), "GET /api/members/{id}");
    }
}
