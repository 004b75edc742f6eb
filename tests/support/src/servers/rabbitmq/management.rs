//! The broker's management API, as far as tests need it.

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};

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
        self.request(Method::PUT, &format!("vhosts/{vhost}"), None).await
    }

    /// Deletes a vhost with all its queues.
    pub async fn delete_vhost(&self, vhost: &str) -> anyhow::Result<()> {
        self.request(Method::DELETE, &format!("vhosts/{vhost}"), None).await
    }

    /// Makes a user without rights.
    pub async fn add_user(&self, name: &str, password: &str) -> anyhow::Result<()> {
        let user = json!({"password": password, "tags": ""});
        self.request(Method::PUT, &format!("users/{name}"), Some(user)).await
    }

    /// Deletes a user.
    pub async fn delete_user(&self, name: &str) -> anyhow::Result<()> {
        self.request(Method::DELETE, &format!("users/{name}"), None).await
    }

    /// Says what a user may do in a vhost: patterns for `configure`, `write` and `read`.
    pub async fn permit(
        &self,
        vhost: &str,
        user: &str,
        rights: &[String; 3],
    ) -> anyhow::Result<()> {
        let [configure, write, read] = rights;
        let rights = json!({"configure": configure, "write": write, "read": read});
        self.request(Method::PUT, &format!("permissions/{vhost}/{user}"), Some(rights)).await
    }

    /// Limits the length of a queue by a policy.
    pub async fn limit(&self, vhost: &str, queue: &str, messages: u32) -> anyhow::Result<()> {
        let definition = json!({"max-length": messages});
        let policy = json!({"pattern": format!("^{queue}$"), "definition": definition, "apply-to": "queues"});
        self.request(Method::PUT, &format!("policies/{vhost}/{queue}"), Some(policy)).await
    }

    async fn request(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<()> {
        let mut request = self.client.request(method.clone(), format!("{}/api/{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request
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
