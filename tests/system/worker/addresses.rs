//! Where the worker asks for a member, and where it never goes (decision 8).

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use core_sim::Webhook;
use harness::TestSystem;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

use super::campus_under_test::CampusUnderTest;

#[tokio::test]
async fn an_id_is_one_segment_of_the_path_whatever_is_in_it() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let ids = [
        "a/b?c#d %2e",
        "../auth/login",
        "%2e%2e",
        "...",
        "a;b=c&d+e",
        "\\..\\x",
        "Đặng 李 🙏",
        "a@b:c|d<e>\"f'",
        &"x".repeat(128),
    ];
    for (n, id) in ids.into_iter().enumerate() {
        let name = format!("Member {n}");
        let answer = json!({"id": id, "church_id": campus.church_id(), "full_name": name});
        system.core.put(campus.church_id(), id, answer).unwrap();
        let log = campus.sync("member.created", id).await;
        assert_eq!(log["message"], format!("Member created: {name}"), "{id}");
        assert_eq!((log["member_id"].as_str(), system.core.member_requests(id)), (Some(id), 1));
        assert_eq!(campus.member(id).await["name"], name);
        assert_eq!(campus.sync("member.deleted", id).await["status"], "processed");
    }
    assert_eq!(system.core.requests(core_sim::Endpoint::Other), 0);
}

#[tokio::test]
async fn a_wrong_path_prefix_archives_nobody() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "100ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    let before = campus.member(&member).await;
    let set = ["--api-path-prefix", "/", "--api-login-path", "/api/auth/login"];
    system.faithctl(&[&["campus", "set", &campus.id], &set[..]].concat()).await.success();
    let event = campus.post("member.updated", &member).await;
    assert_eq!(campus.dead_letter(&event).await["cause"], "member_not_found");
    assert_eq!(campus.member(&member).await, before);

    let set = ["--api-path-prefix", "/api", "--api-login-path", "/auth/login"];
    system.faithctl(&[&["campus", "set", &campus.id], &set[..]].concat()).await.success();
    assert_eq!(campus.sync("member.updated", &member).await["message"], "Member updated: Budi");
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "100ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let thief = Redirector::start(None).await;
    let core = Redirector::start(Some(thief.url())).await;
    let set = ["campus", "set", &campus.id, "--api-base-url", &core.url()];
    system.faithctl(&set).await.success();

    // The same member is at the other host, as the core itself would answer.
    let created = system.core.create(campus.church_id(), json!({"id": "m-1"}), Webhook::Silent);
    assert!(created.is_ok());
    let event = campus.post("member.created", "m-1").await;
    let letter = campus.dead_letter(&event).await;
    assert_eq!((&letter["cause"], &letter["attempts"]), (&json!("core_bad_response"), &json!(2)));
    assert_eq!(
        core.requests(),
        ["POST /api/auth/login", "GET /api/members/m-1", "GET /api/members/m-1"]
    );
    assert_eq!(thief.requests(), Vec::<String>::new());
    assert_eq!(campus.row("m-1").await, None);
}

/// A core that lets everybody in, and then points elsewhere.
struct Redirector {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Redirector {
    async fn start(target: Option<String>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let redirector = Self { address: listener.local_addr().unwrap(), requests: Arc::default() };
        let requests = Arc::clone(&redirector.requests);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (requests, target) = (Arc::clone(&requests), target.clone());
                let answer = service_fn(move |request: Request<Incoming>| {
                    let line = format!("{} {}", request.method(), request.uri());
                    requests.lock().unwrap().push(line);
                    let answer = answer(&request, target.as_deref());
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(connection), answer);
                tokio::spawn(async move { connection.await.ok() });
            }
        });
        redirector
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(request: &Request<Incoming>, target: Option<&str>) -> Response<Full<Bytes>> {
    let login = json!({"access_token": "token", "token_type": "bearer"}).to_string();
    match target {
        Some(target) if request.uri().path() != "/api/auth/login" => Response::builder()
            .status(302)
            .header("location", format!("{target}{}", request.uri()))
            .body(Full::default())
            .unwrap(),
        _ => Response::new(Full::from(login)),
    }
}
