//! A sender byte by byte, for what an HTTP client would never do.

use std::time::Duration;

use core_sim::WebhookBody;
use harness::{TestSystem, WEBHOOK_PATH};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::signature;

/// Longer than the gateway waits for anything.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);

/// A connection to the first gateway.
pub(super) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

/// The head of a webhook's request, without the end of the headers.
pub(super) fn head(length: usize) -> String {
    format!(
        "POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n"
    )
}

/// The head and the body of a signed webhook.
pub(super) fn signed(system: &TestSystem, body: &WebhookBody) -> (Vec<u8>, Vec<u8>) {
    let body = body.to_bytes().to_vec();
    let signature = signature(system, &body);
    let head = format!("{}X-Webhook-Signature: {signature}\r\n\r\n", head(body.len()));
    (head.into_bytes(), body)
}

impl Wire {
    pub(super) async fn connect(system: &TestSystem) -> Self {
        Self::try_connect(system).await.unwrap()
    }

    pub(super) async fn try_connect(system: &TestSystem) -> std::io::Result<Self> {
        let address = system.gateway_url();
        let stream = TcpStream::connect(address.trim_start_matches("http://")).await?;
        Ok(Self::on(stream))
    }

    pub(super) fn on(stream: TcpStream) -> Self {
        Self { stream, received: Vec::new() }
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.unwrap();
    }

    pub(super) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Says that nothing more will be sent.
    pub(super) async fn finish_sending(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The next answer: status line, headers and body.
    pub(super) async fn answer(&mut self) -> String {
        let read = async {
            loop {
                if let Some(length) = answer_length(&self.received) {
                    let rest = self.received.split_off(length);
                    return String::from_utf8(std::mem::replace(&mut self.received, rest)).unwrap();
                }
                let seen = String::from_utf8_lossy(&self.received).into_owned();
                let read = self.stream.read_buf(&mut self.received).await;
                assert_ne!(read.unwrap(), 0, "closed after {seen:?}");
            }
        };
        timeout(ANSWER_LIMIT, read).await.expect("an answer")
    }

    /// Whether an answer comes within a moment.
    pub(super) async fn has_answer(&mut self) -> bool {
        let mut byte = [0];
        timeout(Duration::from_millis(300), self.stream.peek(&mut byte)).await.is_ok()
    }

    /// Waits until the gateway closes, with or without a refusal before.
    pub(super) async fn closed_or_refused(mut self) {
        let mut all = String::new();
        let read = timeout(ANSWER_LIMIT, self.stream.read_to_string(&mut all)).await;
        read.expect("the gateway closes").ok();
        assert!(all.is_empty() || all.starts_with("HTTP/1.1 4"), "{all}");
    }

    /// Waits until the gateway closes, and says how long that took. It must send nothing more.
    pub(super) async fn closed(mut self) -> Duration {
        let start = Instant::now();
        let mut rest = Vec::new();
        let read = timeout(ANSWER_LIMIT, self.stream.read_to_end(&mut rest)).await;
        // A reset is an end, too.
        read.expect("the gateway closes").ok();
        assert_eq!(String::from_utf8_lossy(&rest), "");
        start.elapsed()
    }
}

fn answer_length(bytes: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(bytes).ok()?;
    let head = text.find("\r\n\r\n")? + 4;
    let length = text[..head]
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    (bytes.len() >= head + length).then_some(head + length)
}
