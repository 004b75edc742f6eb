//! Posting webhooks.

use std::time::{Duration, Instant};

use core_sim::{WebhookBody, sign};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::{Campus, TestSystem};

/// Where webhooks are posted.
pub const WEBHOOK_PATH: &str = "/api/sync/webhook";
/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "x-webhook-signature";

/// What the gateway answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
    /// From the start of the request to the end of the answer, without what the machine was late.
    pub took: Duration,
}

impl Answer {
    /// The body, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The `event_id` of an accepted event.
    #[track_caller]
    pub fn event_id(&self) -> String {
        assert_eq!(self.status, 202, "{self:?}");
        self.json()["event_id"].as_str().expect("accepted events have an id").to_owned()
    }
}

impl TestSystem {
    /// Posts a webhook of a campus as FaithFlow does: signed with its secret.
    pub async fn post(&self, campus: &Campus, body: &WebhookBody) -> Answer {
        self.post_signed(&campus.secret, body.to_bytes()).await
    }

    /// Posts any bytes, signed with any secret.
    pub async fn post_signed(&self, secret: &str, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let signature = sign(secret, body);
        self.post_raw(WEBHOOK_PATH, &[(SIGNATURE_HEADER, signature.as_bytes())], body).await
    }

    /// Posts any bytes with any headers.
    pub async fn post_raw(&self, path: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Answer {
        self.try_post_raw(path, headers, body).await.unwrap()
    }

    /// Posts any bytes with any headers; an error when no answer comes.
    pub async fn try_post_raw(
        &self,
        path: &str,
        headers: &[(&str, &[u8])],
        body: &[u8],
    ) -> reqwest::Result<Answer> {
        self.try_post_to(&format!("{}{path}", self.gateway_url()), headers, body).await
    }

    /// The same to a gateway's whole URL, or to that of something before it.
    pub async fn try_post_to(
        &self,
        url: &str,
        headers: &[(&str, &[u8])],
        body: &[u8],
    ) -> reqwest::Result<Answer> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                (name, HeaderValue::from_bytes(value).unwrap())
            })
            .collect();
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .headers(headers)
            .body(body.to_vec());
        let started = Instant::now();
        let response = request.send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await?,
            took: self.took_since(started),
        })
    }
}
