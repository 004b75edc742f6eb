//! `/link/{token}`: a link that lets somebody in once. Looking at it uses nothing up: mail and chat clients open links.

use askama::Template;
use axum::{
    extract::{Form, Path},
    http::StatusCode,
    response::Response,
};
use database::DatabaseError;
use serde::Deserialize;
use store::operators::{LOGIN_LINK_SESSION, LONGEST, Link, Operator, Token};
use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    frame::{Frame, page},
    new_password::{NewPassword, problem_of},
    session_start::{Proven, begin},
    visit::Visit,
};

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    frame: Frame,
    /// None: it was used, or is too old.
    link: Option<Shown>,
    token: String,
    problem: String,
}

struct Shown {
    /// Whom it invites to choose a password; empty where it lets in as an administrator.
    login: String,
    made_by: String,
}

/// What the form carries, where a password is to be chosen.
#[derive(Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    password: Zeroizing<String>,
    #[serde(default)]
    again: Zeroizing<String>,
}

/// Says what the link does.
pub(super) async fn show(visit: Visit, Path(token): Path<String>) -> Result<Response, Failure> {
    let found = match Token::parse(&token) {
        Some(token) => {
            let client = visit.console.pool.get().await?;
            Link::find(&**client, &token).await?.map(|link| (token, link))
        }
        None => None,
    };
    ask(&visit, found, "")
}

/// Uses it up.
pub(super) async fn take(
    visit: Visit,
    Path(token): Path<String>,
    Form(chosen): Form<Chosen>,
) -> Result<Response, Failure> {
    let Some(token) = Token::parse(&token) else { return ask(&visit, None, "") };
    let mut client = visit.console.pool.get().await?;
    let Some(link) = Link::find(&**client, &token).await? else { return ask(&visit, None, "") };
    let phc = match &link.operator {
        Some((_, login)) => {
            let new = NewPassword { password: &chosen.password, again: &chosen.again, login };
            if let Some(problem) = problem_of(&new, visit.language()) {
                return ask(&visit, Some((token, link)), &problem);
            }
            drop(client);
            let phc = visit.console.passwords.hash(chosen.password.clone()).await?;
            client = visit.console.pool.get().await?;
            Some(phc)
        }
        None => None,
    };
    let transaction = client.transaction().await.map_err(DatabaseError::during("use the link"))?;
    // Of two at once one gets in.
    if !Link::take(&*transaction, &token).await? {
        return ask(&visit, None, "");
    }
    let proven = match (&link.operator, phc) {
        (Some((operator, login)), Some(phc)) => {
            Operator::set_password(&*transaction, *operator, &phc).await?;
            Proven { operator: Some(*operator), who: login, via: "invitation", lasts: LONGEST }
        }
        _ => Proven { operator: None, who: &link.made_by, via: "link", lasts: LOGIN_LINK_SESSION },
    };
    begin(&visit, transaction, proven, "/").await
}

fn ask(visit: &Visit, found: Option<(Token, Link)>, problem: &str) -> Result<Response, Failure> {
    let status = match (&found, problem) {
        (None, _) => StatusCode::GONE,
        (Some(_), "") => StatusCode::OK,
        (Some(_), _) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let (token, link) = found.unzip();
    let template = LinkPage {
        frame: Frame::new(visit, &visit.language().t("link-title")),
        link: link.map(|link| Shown {
            login: link.operator.map(|(_, login)| login).unwrap_or_default(),
            made_by: link.made_by,
        }),
        token: token.map(|token| token.reveal().to_owned()).unwrap_or_default(),
        problem: problem.to_owned(),
    };
    page(&template, status)
}
