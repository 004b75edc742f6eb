//! The sender: posts webhooks as FaithFlow does.
//!
//! A first try with a short timeout, then retries on a schedule, as FaithFlow means to (in no public
//! version do they work), then the webhook is dropped.
//! Delivered means exactly 200, 201 or 202; the answer's body is not looked at, redirects are not
//! followed, `Retry-After` is not read. Every try opens its own connection and signs the same bytes
//! with the secret of that moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::church::Church;
use super::deliveries::{Attempt, Delivery, DeliveryState, Ledger};
use super::dice::Dice;
use super::options::Settings;
use super::webhook::{WebhookBody, sign, timestamp_now};

/// Tries under way at once: a burst must not overflow the queue of the receiver's listener, whose
/// dropped connections would look like a slow receiver.
const CONCURRENT_TRIES: usize = 64;

/// Posts webhooks and keeps a record of them.
#[derive(Debug)]
pub(super) struct Sender {
    seed: u64,
    settings: Arc<RwLock<Arc<Settings>>>,
    client: reqwest::Client,
    runtime: Handle,
    ledger: Ledger,
    backlog: watch::Sender<Backlog>,
    tries: Semaphore,
    sent: AtomicU64,
    stop: CancellationToken,
}

/// What is not done yet.
#[derive(Clone, Copy, Debug, Default)]
struct Backlog {
    /// Copies that have not had their first answer, or timeout.
    untried: usize,
    /// Copies that may still be tried.
    pending: usize,
}

/// A copy of a webhook on its way.
struct Copy {
    event_id: String,
    /// Tests carry no `X-Event-ID`.
    names_event: bool,
    church: Arc<Church>,
    bytes: Bytes,
}

impl Sender {
    /// To be called within a tokio runtime, which then runs the deliveries.
    pub(super) fn new(
        seed: u64,
        settings: Arc<RwLock<Arc<Settings>>>,
        stop: CancellationToken,
    ) -> Result<Self, reqwest::Error> {
        // Fails where the process has a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent("python-httpx/0.28.1")
            .redirect(Policy::none())
            .pool_max_idle_per_host(0)
            .http1_title_case_headers()
            .no_proxy()
            .tls_danger_accept_invalid_certs(true)
            .build()?;
        Ok(Self {
            seed,
            settings,
            client,
            runtime: Handle::current(),
            ledger: Ledger::default(),
            backlog: watch::Sender::new(Backlog::default()),
            tries: Semaphore::new(CONCURRENT_TRIES),
            sent: AtomicU64::new(0),
            stop,
        })
    }

    /// Sends a webhook in the background, and answers its event id.
    pub(super) fn send(self: &Arc<Self>, church: &Arc<Church>, body: WebhookBody) -> String {
        let event_id = body.text("event_id").map(str::to_owned);
        let event_id = event_id.unwrap_or_else(|| Uuid::new_v4().to_string());
        let body = body.with("event_id", event_id.as_str());
        let event_type = body.text("event_type").unwrap_or_default();
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let twice = Dice::new(&[self.seed, number]).chance(self.settings().duplicate_rate);
        let copies = if twice { 2 } else { 1 };
        self.ledger.open(&event_id, event_type, &church.id, body.text("member_id"), copies);
        self.backlog.send_modify(|backlog| {
            backlog.untried += copies;
            backlog.pending += copies;
        });
        let names_event = event_type != "test";
        let bytes = body.to_bytes();
        for _ in 0..copies {
            let copy = Copy {
                event_id: event_id.clone(),
                names_event,
                church: Arc::clone(church),
                bytes: bytes.clone(),
            };
            let sender = Arc::clone(self);
            self.runtime.spawn(async move {
                let stop = sender.stop.clone();
                stop.run_until_cancelled(sender.deliver(copy)).await;
            });
        }
        event_id
    }

    /// The tries of one copy, until one succeeds or none is left.
    async fn deliver(&self, copy: Copy) {
        let mut number = 1;
        loop {
            let delivered = self.attempt(&copy, number).await;
            if number == 1 {
                self.backlog.send_modify(|backlog| backlog.untried -= 1);
            }
            let settings = self.settings();
            let delay = settings.retry_delays_ms.get(number - 1).filter(|_| !delivered);
            let Some(delay) = delay else { break };
            let delay = Duration::from_millis(*delay).mul_f64(settings.time_scale.max(0.0));
            tokio::time::sleep(delay).await;
            number += 1;
        }
        self.ledger.ended(&copy.event_id);
        self.backlog.send_modify(|backlog| backlog.pending -= 1);
    }

    /// One try; true where it was delivered.
    async fn attempt(&self, copy: &Copy, number: usize) -> bool {
        // The semaphore is never closed.
        let _permit = self.tries.acquire().await;
        let (at, start) = (timestamp_now(), Instant::now());
        let outcome = self.post(copy, number).await;
        let attempt = Attempt {
            number,
            at,
            status: outcome.ok(),
            error: outcome.err(),
            latency_ms: start.elapsed().as_secs_f64() * 1000.0,
        };
        let delivered = attempt.is_delivered();
        self.ledger.tried(&copy.event_id, attempt);
        delivered
    }

    async fn post(&self, copy: &Copy, number: usize) -> Result<u16, &'static str> {
        let settings = self.settings();
        let target = copy.church.webhook.read().unwrap_or_else(PoisonError::into_inner).clone();
        let target = target.ok_or("not configured")?;
        let timeout =
            if number == 1 { settings.first_timeout_ms } else { settings.retry_timeout_ms };
        let mut request = self
            .client
            .post(&target.url)
            .header(ACCEPT, HeaderValue::from_static("*/*"))
            .header(ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate"))
            .header(CONNECTION, HeaderValue::from_static("keep-alive"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("X-Webhook-Signature", sign(&target.secret, &copy.bytes));
        if copy.names_event {
            request = request.header("X-Event-ID", &copy.event_id);
        }
        let answer = request
            .body(copy.bytes.clone())
            .timeout(Duration::from_millis(timeout))
            .send()
            .await
            .map_err(|error| match error {
                error if error.is_timeout() => "timeout",
                error if error.is_connect() => "connect",
                _ => "broken",
            })?;
        Ok(answer.status().as_u16())
    }

    /// Waits until no webhook is pending; false after the timeout.
    pub(super) async fn idle(&self, timeout: Duration) -> bool {
        self.reached(timeout, |backlog| backlog.pending == 0).await
    }

    /// Waits until every webhook has had its first try; false after the timeout.
    pub(super) async fn tried(&self, timeout: Duration) -> bool {
        self.reached(timeout, |backlog| backlog.untried == 0).await
    }

    async fn reached(&self, timeout: Duration, state: impl FnMut(&Backlog) -> bool) -> bool {
        let mut backlog = self.backlog.subscribe();
        matches!(tokio::time::timeout(timeout, backlog.wait_for(state)).await, Ok(Ok(_)))
    }

    pub(super) fn deliveries(&self, wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        self.ledger.all(wanted)
    }

    pub(super) fn delivery(&self, event_id: &str) -> Option<Delivery> {
        self.ledger.get(event_id)
    }

    pub(super) fn delivered_event_ids(&self) -> Vec<String> {
        let delivered = self.ledger.all(|delivery| delivery.state == DeliveryState::Delivered);
        delivered.into_iter().map(|delivery| delivery.event_id).collect()
    }

    pub(super) fn forget(&self) {
        self.ledger.clear();
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }
}
