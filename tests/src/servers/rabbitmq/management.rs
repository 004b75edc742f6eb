//! The broker's management API, as far as tests need it.

use anyhow::{Context, bail};
use reqwest::Method;

/// A client of the management API.
#[derive(Clone)]
pub struct Management {
    client: reqwest::Client,
    /// `http://user:password@host:port`
    url: String,
}

impl Management {
    /// A client of the API at `url`, `http://user:password@host:port`.
    pub fn new(url: impl Into<String>) -> Self {
        Self { client: reqwest::Client::new(), url: url.into() }
    }

    /// Makes a vhost in which the administrator may do everything.
    pub async fn add_vhost(&self, vhost: &str) -> anyhow::Result<()> {
        self.request(Method::PUT, &format!("vhosts/{vhost}")).await
    }

    /// Deletes a vhost with all its queues.
    pub async fn delete_vhost(&self, vhost: &str) -> anyhow::Result<()> {
        self.request(Method::DELETE, &format!("vhosts/{vhost}")).await
    }

    async fn request(&self, method: Method, path: &str) -> anyhow::Result<()> {
        let response = self
            .client
            .request(method.clone(), format!("{}/api/{path}", self.url))
            .send()
            .await
            .map_err(reqwest::Error::without_url)
            .with_context(|| format!("{method} {path} of the broker's management API"))?;
        if !response.status().is_success() {
            bail!("{method} {path} of the broker's management API: {}", response.status());
        }
        Ok(())
    }
}
