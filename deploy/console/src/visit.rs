//! A request, as far as it is known who makes it.

use std::{net::IpAddr, sync::Arc};

use axum::{extract::FromRequestParts, http::request::Parts};
use chrono_tz::Tz;
use store::{
    AuditVia, OperatorRole,
    audit::Actor,
    operators::{OperatorSession, Token},
};
use uuid::Uuid;

use crate::{
    console::Console, failure::Failure, moments::Clock, rights::Permission, words::Language,
};

/// What is known before anybody has logged in.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// Where they come from, as far as trusted proxies tell.
    pub(crate) address: IpAddr,
    /// Who has logged in at a proxy that proves itself.
    pub(crate) proxy_user: Option<String>,
    /// Their browser's.
    pub(crate) language: Language,
    /// The path that was asked for.
    pub(crate) path: String,
}

/// Somebody who has logged in.
#[derive(Debug, Clone)]
pub(crate) struct LoggedIn {
    pub(crate) token: Token,
    pub(crate) session: OperatorSession,
    pub(crate) role: OperatorRole,
}

impl LoggedIn {
    /// What every form of this session carries: it follows from the token, which it does not tell.
    pub(crate) fn form_token(&self) -> String {
        self.token.derive("form")
    }

    /// Whose data they see; none: all campuses'.
    pub(crate) fn scope(&self) -> Option<&[Uuid]> {
        self.session.campuses.as_deref()
    }

    /// Whether they see what is of this campus.
    pub(crate) fn sees(&self, campus: Uuid) -> bool {
        self.scope().is_none_or(|campuses| campuses.contains(&campus))
    }

    pub(crate) fn may(&self, permission: Permission) -> bool {
        permission.is_of(self.role)
    }
}

/// A request that was let through to a screen.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) console: Arc<Console>,
    pub(crate) visitor: Visitor,
    pub(crate) logged_in: Option<Arc<LoggedIn>>,
}

impl Visit {
    /// Who has logged in; the guard lets nobody else to a screen that asks.
    pub(crate) fn logged_in(&self) -> Result<&LoggedIn, Failure> {
        self.logged_in.as_deref().ok_or(Failure::NotFound)
    }

    pub(crate) fn language(&self) -> Language {
        let chosen =
            self.logged_in.as_ref().and_then(|on| on.session.preferences.language.as_deref());
        chosen.and_then(Language::parse).unwrap_or(self.visitor.language)
    }

    pub(crate) fn clock(&self) -> Clock {
        let session = self.logged_in.as_ref().map(|on| &on.session);
        let chosen = session.and_then(|session| {
            session.preferences.timezone.as_deref().or(session.campus_timezone.as_deref())
        });
        let zone = chosen.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC);
        Clock { language: self.language(), zone }
    }

    /// For the audit.
    pub(crate) fn actor(&self, who: &str) -> Actor {
        Actor {
            who: who.to_owned(),
            via: AuditVia::Console,
            address: Some(self.visitor.address.to_string()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or(Failure::Internal)
    }
}
