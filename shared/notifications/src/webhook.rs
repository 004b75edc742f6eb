//! The POST, signed as Standard Webhooks say:
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, header, redirect::Policy};
use rustls::{ClientConfig, crypto::ring};
use serde_json::Value;
use sha2::Sha256;
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::error::{SendError, TIME_LIMIT};

/// What messages are signed with.
pub(crate) struct SigningKey(Zeroizing<Vec<u8>>);

/// Where messages are posted.
pub struct WebhookChannel {
    http: Client,
    url: Url,
    key: SigningKey,
}

impl SigningKey {
    pub(crate) fn new(key: Zeroizing<Vec<u8>>) -> Self {
        Self(key)
    }

    /// `v1,` and the HMAC-SHA256 of id, seconds and body in base64.
    fn sign(&self, id: &str, seconds: u64, body: &str) -> String {
        // Every length of key is one.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl WebhookChannel {
    pub(crate) fn new(url: Url, key: SigningKey) -> Result<Self, Box<dyn std::error::Error>> {
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(runtime::root_store(None)?)
            .with_no_client_auth();
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .timeout(TIME_LIMIT)
            // A message is for the address that was named.
            .redirect(Policy::none())
            .user_agent(concat!("faithtracker-member-sync/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, url, key })
    }

    pub(crate) fn target(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn send(&self, id: Uuid, body: &Value) -> Result<(), SendError> {
        let body = body.to_string();
        let id = format!("msg_{}", id.simple());
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let signature = self.key.sign(&id, seconds, &body);
        let response = self
            .http
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await
            // The URL may hold a token.
            .map_err(|error| SendError::Post(error.without_url()))?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(SendError::Refused(status.as_u16())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        let key = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let key = SigningKey::new(Zeroizing::new(key));
        assert_eq!(
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}
