//! The page that says why there is no other, in the frame of whoever asked.

use askama::Template;
use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};

use crate::{failure::Failure, frame::Frame, rights::role_key, visit::Visit};

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    frame: Frame,
    code: u16,
    do_next: String,
    /// Which roles may.
    roles: String,
}

/// Puts the page into an answer that has none.
pub(crate) fn framed(visit: &Visit, response: Response) -> Response {
    let status = response.status();
    let told = response.extensions().get::<Failure>().copied();
    let is_bare = told.is_some()
        || !response.headers().contains_key(header::CONTENT_TYPE)
        || response.headers()[header::CONTENT_TYPE].as_bytes().starts_with(b"text/plain");
    if !(status.is_client_error() || status.is_server_error()) || !is_bare {
        return response;
    }
    let failure = told.unwrap_or_else(|| Failure::of_status(status));
    let (title, do_next) = failure.keys();
    let language = visit.language();
    let roles = match failure {
        Failure::Forbidden(permission) => {
            let may = store::OperatorRole::ALL.into_iter().filter(|role| permission.is_of(*role));
            let may: Vec<String> = may.map(|role| language.t(role_key(role))).collect();
            language.about("failure-forbidden-roles", "roles", &may.join(", "))
        }
        _ => String::new(),
    };
    let page = FailurePage {
        frame: Frame::new(visit, &language.t(title)),
        code: failure.status().as_u16(),
        do_next: language.t(do_next),
        roles,
    };
    let Ok(html) = page.render() else { return failure.status().into_response() };
    let mut framed = (failure.status(), Html(html)).into_response();
    for name in [header::ALLOW, header::RETRY_AFTER] {
        if let Some(value) = response.headers().get(&name) {
            framed.headers_mut().insert(name, value.clone());
        }
    }
    if failure == Failure::TooMany {
        framed.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    }
    framed
}
