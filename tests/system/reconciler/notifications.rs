//! People are told what is worth a look: by a signed POST, and by mail, without Prometheus.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use harness::{Role, TestSystem, eventually, proxy::Mode};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, header::HeaderMap, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const WITHIN: Duration = Duration::from_secs(40);

/// Takes POSTs, after it has refused some; keeps those that it took.
#[derive(Clone, Default)]
struct HookReceiver {
    refuses: Arc<Mutex<usize>>,
    refused: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    taken: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

impl HookReceiver {
    async fn start(refuses: usize) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in?token=hidden", listener.local_addr().unwrap());
        let receiver = Self { refuses: Arc::new(Mutex::new(refuses)), ..Self::default() };
        let serving = receiver.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let receiver = serving.clone();
                let service = service_fn(move |request| receiver.clone().answer(request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        (receiver, url)
    }

    async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let message = (head.headers, String::from_utf8(body.to_vec()).unwrap());
        let mut refuses = self.refuses.lock().unwrap();
        let (kept, status) = if *refuses > 0 {
            *refuses -= 1;
            (&self.refused, 503)
        } else {
            (&self.taken, 204)
        };
        kept.lock().unwrap().push(message);
        Ok(Response::builder().status(status).body(Full::default()).unwrap())
    }

    /// Waits for the next message, and answers its JSON when its signature is right.
    async fn next(&self, number: usize) -> Value {
        self.next_within(number, WITHIN).await
    }

    async fn next_within(&self, number: usize, limit: Duration) -> Value {
        let (headers, body) = eventually("the message was posted", limit, async || {
            self.taken.lock().unwrap().get(number).cloned()
        })
        .await;
        assert_signed(&headers, &body);
        serde_json::from_str(&body).unwrap()
    }
}

fn assert_signed(headers: &HeaderMap, body: &str) {
    let header = |name: &str| headers[name].to_str().unwrap();
    let (id, seconds) = (header("webhook-id"), header("webhook-timestamp"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(seconds.parse().unwrap()) < 60, "{seconds}");
    let mut mac = Hmac::<Sha256>::new_from_slice(&BASE64_STANDARD.decode(KEY).unwrap()).unwrap();
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected);
}

/// A mail server that takes everything: <https://www.rfc-editor.org/rfc/rfc5321>.
#[derive(Clone, Default)]
struct MailServer {
    mails: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let server = Self::default();
        let serving = server.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serving.clone().talk(stream));
            }
        });
        (server, url)
    }

    async fn talk(self, stream: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 mail.example.org\r\n").await?;
        while let Some(line) = lines.next_line().await? {
            match line.get(..4).unwrap_or_default() {
                "DATA" => {
                    write.write_all(b"354 go on\r\n").await?;
                    let mut mail = String::new();
                    while let Some(line) = lines.next_line().await? {
                        if line == "." {
                            break;
                        }
                        mail.push_str(&line);
                        mail.push('\n');
                    }
                    self.mails.lock().unwrap().push(mail);
                    write.write_all(b"250 taken\r\n").await?;
                }
                "QUIT" => return write.write_all(b"221 bye\r\n").await,
                _ => write.write_all(b"250 well\r\n").await?,
            }
        }
        Ok(())
    }

    /// Waits for a mail that has this in it. One that was taken when its sender was killed comes again.
    async fn with(&self, text: &str) -> String {
        eventually(&format!("a mail with {text:?} came"), WITHIN, async || {
            let mails = self.mails.lock().unwrap();
            mails.iter().find(|mail| mail.contains(text)).cloned()
        })
        .await
    }

    fn message_ids(&self) -> BTreeSet<String> {
        let mails = self.mails.lock().unwrap();
        let lines = mails.iter().flat_map(|mail| mail.lines());
        lines.filter(|line| line.starts_with("Message-ID: ")).map(str::to_owned).collect()
    }
}

/// What the reconciler looks at every half minute is looked at once more when it is started.
async fn look_again(system: &TestSystem) {
    system.reconciler(0).kill();
    system.start_again("reconciler", 0).await;
}

async fn until_seen(system: &TestSystem, condition: &str) {
    let sql = format!("SELECT key FROM problems WHERE kind = 'paused' AND {condition}");
    eventually(&format!("the problem is {condition}"), WITHIN, async || {
        !system.database.rows(&sql, &[]).await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn what_lasts_is_told_once_by_post_and_mail_and_so_is_its_end() {
    let (hooks, url) = HookReceiver::start(1).await;
    let (mails, mail_url) = MailServer::start().await;
    let system = TestSystem::builder()
        .reconcilers(1)
        .variable("NOTIFY_URL", url)
        .variable("NOTIFY_SECRET", format!("whsec_{KEY}"))
        .variable("NOTIFY_MAIL_URL", mail_url)
        .variable("NOTIFY_MAIL_FROM", "FaithTracker <sync@example.org>")
        .variable("NOTIFY_MAIL_TO", "one@example.org, two@example.org")
        .spawn()
        .await;
    let campus = system.campus.id.clone();
    let client = system.database.client();

    system.faithctl(&["campus", "pause", &campus]).await.success();
    look_again(&system).await;
    until_seen(&system, "opened_at IS NULL").await;
    // A moment is nobody's business: neither a look more nor the end of it is told.
    look_again(&system).await;
    let told = system.database.rows("SELECT id FROM notifications", &[]).await;
    assert!(told.is_empty(), "{told:?}");

    client
        .batch_execute("UPDATE problems SET first_seen_at = now() - interval '2 minutes'")
        .await
        .unwrap();
    look_again(&system).await;
    // The first attempt was refused; the reconciler is killed again meanwhile.
    eventually("the receiver has refused", WITHIN, async || {
        !hooks.refused.lock().unwrap().is_empty()
    })
    .await;
    client.batch_execute("UPDATE notifications SET next_at = now()").await.unwrap();
    look_again(&system).await;
    let opened = hooks.next(0).await;
    assert_eq!(opened["type"], "problems.changed");
    assert_eq!(opened["data"]["closed"], json!([]));
    let told = opened["data"]["opened"].as_array().unwrap();
    let paused = told.iter().find(|one| one["kind"] == "paused").unwrap();
    assert_eq!(paused["campus_id"], json!(campus));
    assert_eq!(paused["advice"], json!(format!("faithctl campus resume {campus}")));
    assert_eq!(paused["stops_events"], json!(false));
    let id =
        |kept: &Mutex<Vec<(HeaderMap, String)>>| kept.lock().unwrap()[0].0["webhook-id"].clone();
    assert_eq!(id(&hooks.refused), id(&hooks.taken), "the same message has the same id");
    let mail = mails.with("Worth a look").await;
    assert!(mail.contains("To: one@example.org, two@example.org"), "{mail}");
    assert!(mail.contains("Auto-Submitted: auto-generated"), "{mail}");
    assert!(mail.contains(&format!("faithctl campus resume {campus}")), "{mail}");

    system.faithctl(&["campus", "resume", &campus]).await.success();
    client
        .batch_execute("UPDATE problems SET last_seen_at = now() - interval '3 minutes'")
        .await
        .unwrap();
    look_again(&system).await;
    let closed = hooks.next(1).await;
    let over = closed["data"]["closed"].as_array().unwrap();
    assert!(over.iter().any(|one| one["kind"] == "paused" && one["until"].is_string()), "{closed}");
    mails.with("over: ").await;
    assert_eq!(mails.message_ids().len(), 2, "however often they came");

    // Once each, by each of the channels, however often the reconciler was started.
    let sent = "SELECT channel, count(*)::int AS number FROM notifications
                WHERE sent_at IS NOT NULL AND body::text LIKE '%\"paused\"%' GROUP BY channel ORDER BY channel";
    let number = |channel: &str| json!({ "channel": channel, "number": 2 });
    let all = [number("mail"), number("webhook")];
    // A receiver has a message a moment before its sender has noted that.
    eventually("each message is noted as sent, once by each channel", WITHIN, async || {
        let noted = system.database.rows(sent, &[]).await;
        if noted == all { Ok(()) } else { Err(format!("{noted:?}")) }
    })
    .await;
    let logs = system.logs();
    for secret in ["hidden", KEY] {
        assert!(!logs.contains(secret), "{logs}");
    }
}

#[tokio::test]
async fn a_channel_gets_a_dozen_messages_an_hour_and_then_one_that_tells_all() {
    let (hooks, url) = HookReceiver::start(0).await;
    let system = TestSystem::builder()
        .reconcilers(1)
        .variable("NOTIFY_URL", url)
        .variable("NOTIFY_SECRET", format!("whsec_{KEY}"))
        .spawn()
        .await;
    let client = system.database.client();
    client
        .batch_execute(
            "INSERT INTO notifications (id, channel, body, created_at, sent_at)
             SELECT gen_random_uuid(), 'webhook', '{}', now() - interval '59 minutes', now() FROM generate_series(1, 12)",
        )
        .await
        .unwrap();
    system.faithctl(&["campus", "pause", &system.campus.id]).await.success();
    look_again(&system).await;
    until_seen(&system, "opened_at IS NULL").await;
    client
        .batch_execute("UPDATE problems SET first_seen_at = now() - interval '2 minutes'")
        .await
        .unwrap();
    look_again(&system).await;
    until_seen(
        &system,
        "last_seen_at > first_seen_at + interval '2 minutes' AND opened_at IS NULL",
    )
    .await;
    client
        .batch_execute("UPDATE notifications SET created_at = now() - interval '61 minutes'")
        .await
        .unwrap();
    look_again(&system).await;
    let told = hooks.next(0).await;
    assert!(told["data"]["opened"].to_string().contains("\"paused\""), "{told}");
}

#[tokio::test]
async fn a_test_message_says_what_each_receiver_made_of_it() {
    let (hooks, url) = HookReceiver::start(1).await;
    let system = TestSystem::builder()
        .gateways(0)
        .workers(0)
        .variable_of(Role::Admin, "NOTIFY_URL", url)
        .variable_of(Role::Admin, "NOTIFY_SECRET", KEY)
        .spawn()
        .await;
    let test = ["notifications", "test"];
    let refused = system.faithctl(&test).await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("webhook: not taken by 127.0.0.1: the receiver answered HTTP 503")
    );
    let taken = system.faithctl(&test).await.success();
    assert_eq!(taken, "webhook: taken by 127.0.0.1\n");
    assert_eq!(hooks.next(0).await["type"], "notification.test");
}

#[tokio::test]
async fn that_postgres_is_away_is_told_from_memory_and_so_is_its_return() {
    let (hooks, url) = HookReceiver::start(0).await;
    let system = TestSystem::builder()
        .gateways(0)
        .workers(0)
        .reconcilers(1)
        .proxied()
        .variable("NOTIFY_URL", url)
        .variable("NOTIFY_SECRET", format!("whsec_{KEY}"))
        .spawn()
        .await;
    let postgres = &system.proxies().reconciler_to_postgres;
    postgres.set(Mode::Refuse);
    postgres.reset();
    // Once it has lasted as long as anything that is told.
    let away = hooks.next_within(0, Duration::from_secs(150)).await;
    let opened = &away["data"]["opened"][0];
    assert_eq!((&opened["kind"], &opened["stops_events"]), (&json!("no_database"), &json!(true)));
    postgres.set(Mode::Forward);
    let back = hooks.next_within(1, Duration::from_secs(90)).await;
    assert_eq!(back["data"]["closed"][0]["kind"], "no_database", "{back}");
    assert_eq!(back["data"]["closed"][0]["since"], opened["since"]);
}
