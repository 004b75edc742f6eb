//! Tests of the simulation: against the recorded answers, and of what tests will rely on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod api;
mod control;
mod faults;
mod generator;
mod journal;
mod list;
mod members;
mod receiver;
mod sender;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{CoreSim, DEFAULT_PASSWORD, Document, FIRST_CHURCH_ID, Options};

/// Long enough for a busy machine, short enough to notice.
const DEADLINE: Duration = Duration::from_secs(20);

/// A recorded answer.
#[derive(Deserialize)]
struct Sample {
    status: u16,
    body: Value,
}

fn sample(file: &str) -> Sample {
    serde_json::from_str(&sample_text(file)).unwrap()
}

/// The recorded member, its keys in order.
fn recorded_member() -> Document {
    #[derive(Deserialize)]
    struct MemberSample {
        body: Document,
    }
    serde_json::from_str::<MemberSample>(&sample_text("member.json")).unwrap().body
}

fn sample_text(file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../samples/faithflow");
    fs::read_to_string(folder.join(file)).unwrap()
}

/// Two churches with some members, and no limit on logins.
async fn start(members: u64) -> CoreSim {
    let mut options =
        Options { churches: Options::churches_of(1, 2, members), ..Options::default() };
    options.settings.login_limit = None;
    CoreSim::start(options).await.unwrap()
}

/// A client of the core API that has logged in.
struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    async fn of_first_church(sim: &CoreSim) -> Self {
        Self::login(sim, "admin@gkbj.org").await
    }

    async fn login(sim: &CoreSim, email: &str) -> Self {
        let http = http();
        let base = format!("{}/api", sim.base_url());
        let (status, body) = post_login(&http, &base, email, DEFAULT_PASSWORD).await;
        assert_eq!(status, 200, "{body}");
        Self { http, base, token: body["access_token"].as_str().unwrap().to_owned() }
    }

    fn request(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        json_of(self.request(path).send().await.unwrap()).await
    }

    async fn member(&self, id: &str) -> (u16, Value) {
        self.get(&format!("/members/{id}")).await
    }

    async fn ids(&self, query: &str) -> Vec<String> {
        let (status, body) = self.get(&format!("/members/?{query}")).await;
        assert_eq!(status, 200, "{body}");
        let rows = body.as_array().unwrap();
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }
}

fn http() -> reqwest::Client {
    // The simulation has installed the TLS provider, which a client wants even for plain http.
    let redirect = reqwest::redirect::Policy::none();
    reqwest::Client::builder().redirect(redirect).no_proxy().timeout(DEADLINE).build().unwrap()
}

async fn post_login(
    http: &reqwest::Client,
    base: &str,
    email: &str,
    password: &str,
) -> (u16, Value) {
    let credentials = json!({"email": email, "password": password});
    let request = http.post(format!("{base}/auth/login")).json(&credentials);
    json_of(request.send().await.unwrap()).await
}

async fn json_of(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    let text = || Value::from(String::from_utf8_lossy(&bytes).into_owned());
    (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| text()))
}

fn first_member(sim: &CoreSim) -> String {
    sim.member_id(FIRST_CHURCH_ID, 0).unwrap()
}
