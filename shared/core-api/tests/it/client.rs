//! One request and its answer.

use std::time::Duration;

use bytes::Bytes;
use core_api::{
    BadAnswer, ClientSettings, CoreClient, CoreError, Credentials, Operation, Paging, Token,
    Unreachable,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::server::{TestCore, endpoint};

const LOGIN: &str = include_str!("../../../../tests/samples/faithflow/login.json");
const LIST: &str = include_str!("../../../../tests/samples/faithflow/list.json");
const MEMBER: &str = include_str!("../../../../tests/samples/faithflow/member.json");
/// Nobody listens on this privileged port, and no test is given it.
const CLOSED: &str = "http://127.0.0.1:1";
const MEMBER_ID: &str = "2496441d-cbf4-4821-bb59-1b705c296cf1";

fn settings() -> ClientSettings {
    ClientSettings { allowed: "127.0.0.1,localhost".parse().unwrap(), ..ClientSettings::default() }
}

fn client() -> CoreClient {
    CoreClient::new(settings()).unwrap()
}

fn token() -> Token {
    Token::new("sample-token").unwrap()
}

fn credentials() -> Credentials {
    Credentials { email: "admin@gkbj.org".into(), password: "a \"secret\"".into(), church: None }
}

/// The body of a recorded answer.
fn recorded(sample: &str) -> String {
    let sample: serde_json::Value = serde_json::from_str(sample).unwrap();
    sample["body"].to_string()
}

/// What asking for the member `m` gives where the core answers so.
async fn fetch(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> CoreError {
    let core = TestCore::always(status, headers, body).await;
    client().member(&core.endpoint(), &token(), "m").await.unwrap_err()
}

#[tokio::test]
async fn the_recorded_login_gives_its_token() {
    let core = TestCore::always(200, &[], recorded(LOGIN)).await;
    let issued = client().login(&core.endpoint(), &credentials()).await.unwrap();
    assert_eq!(issued.token.reveal(), "sample-token");
    assert_eq!(issued.lifetime, Duration::from_hours(24));
    let asked = &core.asked()[0];
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/api/auth/login"));
    let sent: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(sent, json!({"email": "admin@gkbj.org", "password": "a \"secret\""}));
    // Newer cores want to know from a super admin for which church.
    let of_a_church = Credentials { church: Some("3880a17d".into()), ..credentials() };
    client().login(&core.endpoint(), &of_a_church).await.unwrap();
    let sent: serde_json::Value = serde_json::from_slice(&core.asked()[1].body).unwrap();
    assert_eq!(sent["church_id"], "3880a17d");
}

#[tokio::test]
async fn the_recorded_member_and_list_are_read() {
    let core = TestCore::always(200, &[], recorded(MEMBER)).await;
    let member = client().member(&core.endpoint(), &token(), MEMBER_ID).await.unwrap();
    assert_eq!(member.id(), Some(MEMBER_ID));
    let asked = &core.asked()[0];
    assert_eq!(asked.target, format!("/api/members/{MEMBER_ID}"));
    assert_eq!(asked.authorization.as_deref(), Some("Bearer sample-token"));

    let core = TestCore::always(200, &[], recorded(LIST)).await;
    let page = client().page(&core.endpoint(), &token(), 0, 100, Vec::new()).await.unwrap();
    assert_eq!((page.rows.len(), page.paging, page.is_last()), (2, Paging::Bare, false));
    assert_eq!(core.asked()[0].target, "/api/members/?skip=0&limit=100");
}

#[tokio::test]
async fn an_odd_id_is_asked_for_as_one_segment() {
    let id = "a/b?c#d %2e\"é";
    let core = TestCore::always(200, &[], json!({"id": id}).to_string()).await;
    client().member(&core.endpoint(), &token(), id).await.unwrap();
    assert_eq!(core.asked()[0].target, "/api/members/a%2Fb%3Fc%23d%20%252e%22%C3%A9");
    for id in ["", ".", ".."] {
        let error = client().member(&core.endpoint(), &token(), id).await.unwrap_err();
        assert!(matches!(error, CoreError::BadResponse { why: BadAnswer::UnaskableId, .. }));
    }
    assert_eq!(core.asked().len(), 1);
}

#[tokio::test]
async fn statuses_are_told_apart() {
    assert!(matches!(fetch(401, &[], "").await, CoreError::Unauthorized { .. }));
    assert!(matches!(fetch(403, &[], "").await, CoreError::Forbidden { .. }));
    assert!(matches!(fetch(404, &[], "").await, CoreError::NotFound { .. }));
    assert!(matches!(fetch(410, &[], "").await, CoreError::Gone { .. }));
    assert!(matches!(fetch(500, &[], "").await, CoreError::Server { status: 500, .. }));
    for status in [204, 400, 409, 422] {
        let error = fetch(status, &[], "").await;
        let CoreError::BadResponse { why: BadAnswer::Status(found), .. } = error else {
            panic!("{error}")
        };
        assert_eq!(found, status);
    }
    let limited = fetch(429, &[("retry-after", "7")], r#"{"detail":"slow down"}"#).await;
    assert!(matches!(limited, CoreError::RateLimited { .. }));
    assert_eq!(limited.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(fetch(429, &[], "").await.retry_after(), None);
    let away = fetch(503, &[("retry-after", "30")], "").await;
    assert_eq!(away.retry_after(), Some(Duration::from_secs(30)));
}

#[tokio::test]
async fn a_refused_login_is_no_refused_call() {
    for status in [400, 401, 403, 404, 422] {
        let core = TestCore::always(status, &[], r#"{"detail":"Invalid credentials"}"#).await;
        let error = client().login(&core.endpoint(), &credentials()).await.unwrap_err();
        assert!(
            matches!(error, CoreError::LoginRefused { status: found, .. } if found == status),
            "{error}"
        );
    }
    let core = TestCore::always(429, &[("retry-after", "9")], "").await;
    let error = client().login(&core.endpoint(), &credentials()).await.unwrap_err();
    assert!(
        matches!(error, CoreError::RateLimited { .. }) && error.operation() == Operation::LogIn
    );
}

#[tokio::test]
async fn what_is_not_understood_is_an_error() {
    let why = async |body: &'static str| match fetch(200, &[], body).await {
        CoreError::BadResponse { why, .. } => why,
        error => panic!("{error}"),
    };
    assert!(matches!(why(r#"{"id":"m","na"#).await, BadAnswer::NotJson { line: 1, .. }));
    assert_eq!(why("[]").await, BadAnswer::UnknownShape);
    assert_eq!(why("{}").await, BadAnswer::NoId);
    assert_eq!(why(r#"{"id":"other"}"#).await, BadAnswer::OtherMember);

    let core = TestCore::always(200, &[], r#"{"members":[]}"#).await;
    let error = client().page(&core.endpoint(), &token(), 0, 1, Vec::new()).await.unwrap_err();
    assert!(matches!(error, CoreError::BadResponse { why: BadAnswer::UnknownShape, .. }));
}

#[tokio::test]
async fn a_page_instead_of_an_answer_is_a_core_that_is_away() {
    for page in ["<html>maintenance</html>", "", "Service Unavailable"] {
        assert!(matches!(fetch(200, &[], page).await, CoreError::NotAnApi { .. }), "{page}");
        let core = TestCore::always(200, &[], page).await;
        let error = client().login(&core.endpoint(), &credentials()).await.unwrap_err();
        assert!(
            matches!(error, CoreError::NotAnApi { .. }) && error.operation() == Operation::LogIn,
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_redirect_on_the_same_host_is_followed_with_the_token() {
    let core = TestCore::spawn(|asked| async move {
        let (status, location, body) = match asked.target.as_str() {
            "/api/members/m" => (307, "/elsewhere", ""),
            _ => (200, "", r#"{"id":"m"}"#),
        };
        let body = http_body_util::Full::new(Bytes::from(body));
        hyper::Response::builder().status(status).header("location", location).body(body).unwrap()
    })
    .await;
    client().member(&core.endpoint(), &token(), "m").await.unwrap();
    assert_eq!(core.asked()[1].authorization.as_deref(), Some("Bearer sample-token"));
}

#[tokio::test]
async fn a_redirect_elsewhere_is_refused_and_the_other_host_not_asked() {
    let other = TestCore::always(200, &[], r#"{"id":"m"}"#).await;
    let port = other.address.rsplit(':').next().unwrap();
    // Another port, another name of the same machine, another scheme.
    for base in [
        format!("http://{}", other.address),
        format!("http://localhost:{port}"),
        format!("https://{}", other.address),
    ] {
        for status in [301, 302, 303, 307, 308] {
            let error = fetch(status, &[("location", &format!("{base}/api/members/m"))], "").await;
            assert!(
                matches!(error, CoreError::BadResponse { why: BadAnswer::Redirect, .. }),
                "{error}"
            );
        }
    }
    assert_eq!(other.asked().len(), 0);
}

#[tokio::test]
async fn redirects_end() {
    let core = TestCore::always(307, &[("location", "/again")], "").await;
    let error = client().member(&core.endpoint(), &token(), "m").await.unwrap_err();
    assert!(matches!(error, CoreError::BadResponse { why: BadAnswer::Redirect, .. }));
    assert_eq!(core.asked().len(), 4);
}

#[tokio::test]
async fn an_answer_may_only_be_so_large() {
    let body = json!({"id": "m", "photo_base64": "x".repeat(3000)}).to_string();
    let core = TestCore::always(200, &[], body.clone()).await;
    let of_size =
        |largest_answer| CoreClient::new(ClientSettings { largest_answer, ..settings() }).unwrap();
    assert!(of_size(body.len()).member(&core.endpoint(), &token(), "m").await.is_ok());
    let error = of_size(body.len() - 1).member(&core.endpoint(), &token(), "m").await.unwrap_err();
    assert!(matches!(error, CoreError::TooLarge { .. }));
}

#[tokio::test]
async fn a_core_that_hangs_times_out() {
    let core = TestCore::spawn(|_| std::future::pending()).await;
    let settings = ClientSettings { request_timeout: Duration::from_millis(50), ..settings() };
    let client = CoreClient::new(settings).unwrap();
    let error = client.member(&core.endpoint(), &token(), "m").await.unwrap_err();
    assert!(
        matches!(error, CoreError::Unreachable { kind: Unreachable::Timeout, .. }),
        "{error:?}"
    );
}

/// A server that sends these bytes to whoever asks, and hangs up.
async fn raw(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert_ne!(stream.read(&mut request).await.unwrap(), 0);
        stream.write_all(answer).await.unwrap();
    });
    address.to_string()
}

#[tokio::test]
async fn broken_connections_are_told_apart() {
    let kind = async |base: String| match client()
        .member(&endpoint(&base), &token(), "m")
        .await
        .unwrap_err()
    {
        CoreError::Unreachable { kind, .. } => kind,
        error => panic!("{error}"),
    };
    let cut = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":").await;
    assert_eq!(kind(format!("http://{cut}")).await, Unreachable::Interrupted);
    let silent = raw(b"").await;
    assert_eq!(kind(format!("http://{silent}")).await, Unreachable::Interrupted);
    let plain = raw(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert_eq!(kind(format!("https://{plain}")).await, Unreachable::Tls);
    assert_eq!(kind(CLOSED.to_owned()).await, Unreachable::Connect);
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_asked() {
    let core = TestCore::always(200, &[], r#"{"id":"m"}"#).await;
    let port = core.address.rsplit(':').next().unwrap();
    let endpoint = endpoint(&format!("http://localhost:{port}"));
    assert!(client().member(&endpoint, &token(), "m").await.is_ok());
    let strict = CoreClient::new(ClientSettings::default()).unwrap();
    let error = strict.member(&endpoint, &token(), "m").await.unwrap_err();
    assert!(
        matches!(error, CoreError::Unreachable { kind: Unreachable::PrivateAddress, .. }),
        "{error:?}"
    );
    assert_eq!(core.asked().len(), 1);
}

#[tokio::test]
async fn compressed_answers_are_read_and_measured_unpacked() {
    // What gzip makes of 5,028 bytes: {"id":"m","photo_base64":"aaa…"}
    const GZIP: &[u8] = &[
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc8, 0x31, 0x0e, 0x40,
        0x40, 0x00, 0x04, 0xc0, 0xbf, 0x6c, 0xad, 0x14, 0x85, 0xcf, 0xc8, 0x5d, 0x48, 0x28, 0xe4,
        0x24, 0x74, 0xe2, 0xef, 0x7c, 0x42, 0x37, 0x53, 0xce, 0x9d, 0x6d, 0xce, 0x98, 0x3d, 0x5d,
        0x8e, 0xb5, 0x5d, 0x6d, 0xaa, 0xe5, 0x5c, 0x86, 0xfe, 0xab, 0x02, 0x00, 0x00, 0x00, 0x00,
        0xfc, 0x2e, 0xcf, 0x0b, 0x9d, 0x3e, 0xaf, 0x42, 0xa4, 0x13, 0x00, 0x00,
    ];
    let core = TestCore::always(200, &[("content-encoding", "gzip")], GZIP).await;
    assert!(client().member(&core.endpoint(), &token(), "m").await.is_ok());
    let small = CoreClient::new(ClientSettings { largest_answer: 5_027, ..settings() }).unwrap();
    let error = small.member(&core.endpoint(), &token(), "m").await.unwrap_err();
    assert!(matches!(error, CoreError::TooLarge { .. }));
}

#[tokio::test]
async fn no_error_tells_secrets_or_ids() {
    let core = TestCore::always(500, &[], "body-of-a-person").await;
    for endpoint in [core.endpoint(), endpoint(CLOSED)] {
        let errors = [
            client().member(&endpoint, &token(), "member-of-ours").await.unwrap_err(),
            client().login(&endpoint, &credentials()).await.unwrap_err(),
        ];
        for error in errors {
            let mut said = format!("{error} {error:?}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                said.push_str(&error.to_string());
                cause = error.source();
            }
            for secret in ["member-of-ours", "sample-token", "secret", "admin@", "body-of"] {
                assert!(!said.contains(secret), "{said}");
            }
        }
    }
    assert_eq!(format!("{:?} {:?}", credentials(), token()), "Credentials(…) Token(…)");
}
