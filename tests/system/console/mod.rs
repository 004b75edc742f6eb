//! The console as a browser sees it, under its own database role.

mod forgery;
mod login;
mod proxy;
mod rights;
mod screens;
mod sessions;
mod starts;

use std::{collections::BTreeMap, net::SocketAddr, sync::Mutex, time::Duration};

use harness::{Role, TestSystem};
use reqwest::{Method, StatusCode, header::HeaderMap, redirect::Policy};
use store::operators::Token;
use support::program::{Program, binary};
use uuid::Uuid;

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A password that is taken.
const PASSWORD: &str = "kuda laut ungu di teluk";

/// A campus, a database, and nothing that runs.
async fn campus_alone() -> TestSystem {
    TestSystem::builder().gateways(0).workers(0).spawn().await
}

/// A console that runs.
struct Console {
    program: Program,
    url: String,
    admin: SocketAddr,
}

impl Console {
    async fn start(system: &TestSystem) -> Self {
        Self::start_with(system, &[]).await
    }

    async fn start_with(system: &TestSystem, changes: &[(&str, &str)]) -> Self {
        let mut variables: BTreeMap<String, String> = system.variables(Role::Console).clone();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        variables.extend(changes.iter().map(owned));
        let program = Program::new("console", binary("console").unwrap(), system.folder().path())
            .clean_environment()
            .variables(variables);
        program.start().unwrap();
        let addresses = program.announced(READY_WITHIN).await.unwrap();
        program.ready(addresses.admin, READY_WITHIN).await.unwrap();
        let url = format!("http://{}", addresses.public.unwrap());
        Self { program, url, admin: addresses.admin }
    }

    fn browser(&self) -> Browser {
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Browser { http, url: self.url.clone(), cookie: Mutex::default() }
    }

    /// A browser with a session of a new operator.
    async fn logged_in(
        &self,
        system: &TestSystem,
        role: &str,
        campuses: Option<&[Uuid]>,
    ) -> Browser {
        let login = format!("o{}", Uuid::new_v4().simple());
        let statement = "INSERT INTO operators (login, name, role, campuses) VALUES ($1, 'Ani', $2, $3) RETURNING id";
        let row = system
            .database
            .client()
            .query_one(statement, &[&login, &role, &campuses])
            .await
            .unwrap();
        let browser = self.browser();
        browser.adopt(&session(system, Some(row.get(0)), &login).await);
        browser
    }
}

/// A session that is made as the console makes one.
async fn session(system: &TestSystem, operator: Option<Uuid>, who: &str) -> Token {
    let token = Token::random();
    let statement =
        "INSERT INTO operator_sessions (token_sha256, operator_id, who, via, expires_at)
                     VALUES ($1, $2, $3, 'password', now() + interval '12 h')";
    let hash = token.hash();
    system.database.client().execute(statement, &[&&hash[..], &operator, &who]).await.unwrap();
    token
}

/// What a browser keeps and sends.
struct Browser {
    http: reqwest::Client,
    url: String,
    cookie: Mutex<Option<String>>,
}

/// What it got.
#[derive(Debug)]
struct Page {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Page {
    fn location(&self) -> &str {
        self.headers.get("location").map_or("", |value| value.to_str().unwrap())
    }
}

impl Browser {
    fn adopt(&self, token: &Token) {
        *self.cookie.lock().unwrap() = Some(token.reveal().to_owned());
    }

    fn token(&self) -> Option<Token> {
        self.cookie.lock().unwrap().as_deref().and_then(Token::parse)
    }

    async fn get(&self, path: &str) -> Page {
        self.send(Method::GET, path, None, &[]).await
    }

    /// Posts a form of a page of this session.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let own = self.token().map(|token| token.derive("form")).unwrap_or_default();
        let fields: Vec<_> = fields.iter().copied().chain([("form_token", own.as_str())]).collect();
        self.send(Method::POST, path, Some(&fields), &[("sec-fetch-site", "same-origin")]).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        form: Option<&[(&str, &str)]>,
        headers: &[(&str, &str)],
    ) -> Page {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(cookie) = &*self.cookie.lock().unwrap() {
            request = request.header("cookie", format!("session={cookie}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(form) = form {
            let body: String = url_encoded(form);
            request =
                request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        if let Some(set) = headers.get("set-cookie") {
            let value = set.to_str().unwrap().strip_prefix("session=").unwrap();
            let value = value.split(';').next().unwrap();
            *self.cookie.lock().unwrap() = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
        Page { status, headers, text: answer.text().await.unwrap() }
    }
}

fn url_encoded(fields: &[(&str, &str)]) -> String {
    let mut url: reqwest::Url = "http://x/".parse().unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

/// The path of a link that `faithctl` printed.
fn path(link: &str) -> String {
    format!("/link/{}", link.trim().rsplit('/').next().unwrap())
}

/// Adds an operator who has chosen [`PASSWORD`].
async fn with_password(system: &TestSystem, console: &Console, login: &str, role: &str) -> Browser {
    let added = system.faithctl(&["operator", "add", login, "--role", role]).await.success();
    let browser = console.browser();
    let taken = browser.post(&path(&added), &[("password", PASSWORD), ("again", PASSWORD)]).await;
    assert_eq!((taken.status, taken.location()), (StatusCode::SEE_OTHER, "/"), "{taken:?}");
    browser
}
