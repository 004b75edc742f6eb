//! What every page has around its own: language, theme, who it is, where to go.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use store::operators::IDLE;

use crate::{
    assets,
    failure::Failure,
    rights::{Permission, role_key},
    visit::Visit,
    words::Language,
};

/// The screens that the frame leads to: path, words, permission, key.
const SCREENS: [(&str, &str, Permission); 3] = [
    ("/", "nav-overview", Permission::Overview),
    ("/search", "nav-search", Permission::Deliveries),
    ("/account", "nav-account", Permission::Account),
];

/// A screen that the frame leads to.
pub(crate) struct Link {
    pub(crate) path: &'static str,
    pub(crate) words: String,
    pub(crate) is_here: bool,
}

/// Who looks at it.
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) role: String,
    /// When the session ends, used or not: seconds since 1970.
    pub(crate) ends: i64,
    /// After how many seconds without use.
    pub(crate) idle: u64,
}

/// What every page has around its own.
pub(crate) struct Frame {
    pub(crate) language: Language,
    pub(crate) title: String,
    pub(crate) theme: &'static str,
    pub(crate) shortcuts: bool,
    pub(crate) who: Option<Who>,
    pub(crate) links: Vec<Link>,
    /// What is in the field for searching.
    pub(crate) query: String,
    pub(crate) form_token: String,
    pub(crate) assets: String,
    pub(crate) version: &'static str,
}

impl Frame {
    /// Around a page with this title.
    pub(crate) fn new(visit: &Visit, title: &str) -> Self {
        let language = visit.language();
        let logged_in = visit.logged_in.as_deref();
        let preferences = logged_in.map(|on| &on.session.preferences);
        let links = logged_in.map_or_else(Vec::new, |on| {
            let open = SCREENS.into_iter().filter(|(.., needed)| on.may(*needed));
            open.map(|(path, words, _)| Link {
                path,
                words: language.t(words),
                is_here: visit.visitor.path == path,
            })
            .collect()
        });
        Self {
            language,
            title: title.to_owned(),
            theme: match preferences.and_then(|chosen| chosen.theme.as_deref()) {
                Some("light") => "light",
                Some("dark") => "dark",
                _ => "",
            },
            shortcuts: preferences.is_some_and(|chosen| chosen.shortcuts),
            who: logged_in.map(|on| Who {
                name: crate::safe_text::shown(&on.session.name),
                role: language.t(role_key(on.role)),
                ends: on.session.expires_at.timestamp(),
                idle: IDLE.as_secs(),
            }),
            links,
            query: String::new(),
            form_token: logged_in.map(crate::visit::LoggedIn::form_token).unwrap_or_default(),
            assets: assets::folder(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// Words without variables, for templates.
    pub(crate) fn t(&self, key: &str) -> String {
        self.language.t(key)
    }
}

/// Writes a page.
pub(crate) fn page(template: &impl Template, status: StatusCode) -> Result<Response, Failure> {
    Ok((status, Html(template.render()?)).into_response())
}
