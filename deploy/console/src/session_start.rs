//! How a session begins: with a new token, whatever the browser had before, and an entry in the audit.

use std::time::Duration;

use axum::{
    http::header,
    response::{IntoResponse, Redirect, Response},
};
use database::{DatabaseError, PooledTransaction};
use serde_json::json;
use store::{
    AuditResult,
    audit::{AuditEntry, Recorded},
    operators::{NewSession, OperatorSession},
};
use uuid::Uuid;

use crate::{failure::Failure, visit::Visit};

/// Somebody who has proved who they are.
pub(crate) struct Proven<'a> {
    /// None of somebody whom a link lets in as an administrator.
    pub(crate) operator: Option<Uuid>,
    pub(crate) who: &'a str,
    /// `password`, `invitation`, `link` or `proxy`.
    pub(crate) via: &'a str,
    pub(crate) lasts: Duration,
}

/// Begins the session, and leads to `next`.
pub(crate) async fn begin(
    visit: &Visit,
    transaction: PooledTransaction<'_>,
    proven: Proven<'_>,
    next: &str,
) -> Result<Response, Failure> {
    let Proven { operator, who, via, lasts } = proven;
    // A token that somebody else may have put there dies with this.
    if let Some(on) = &visit.logged_in {
        OperatorSession::end(&*transaction, &on.token).await?;
    }
    let address = visit.visitor.address.to_string();
    let session = NewSession { operator, who, via, address: &address, lasts };
    let token = session.begin(&*transaction).await?;
    let recorded = record(visit, &transaction, who, "login", via, AuditResult::Done).await?;
    transaction.commit().await.map_err(DatabaseError::during("begin the session"))?;
    recorded.committed();
    let mut response = Redirect::to(next).into_response();
    if let Some(cookie) = visit.console.cookie.set(&token) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Notes a login, or that one was refused.
pub(crate) async fn record(
    visit: &Visit,
    transaction: &PooledTransaction<'_>,
    who: &str,
    action: &str,
    via: &str,
    result: AuditResult,
) -> Result<Recorded, Failure> {
    let (actor, subject) = (visit.actor(who), json!({"by": via}));
    let entry = AuditEntry {
        actor: &actor,
        action,
        campus: None,
        subject: &subject,
        result,
        operation: None,
    };
    let recorded = entry.record(&**transaction).await;
    Ok(recorded.map_err(DatabaseError::during("note who logs in"))?)
}
