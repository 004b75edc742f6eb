//! The demo campus.

use anyhow::Context;
use core_sim::DEFAULT_PASSWORD;
use database::Client;
use serde_json::json;
use uuid::Uuid;

use super::product::Product;

/// Name of the file with the webhook secret.
const SECRET_FILE: &str = "webhook.secret";

/// A campus for the simulated core's church.
pub(super) struct Demo {
    /// What its webhooks are signed with.
    pub(super) secret: String,
    /// Its id.
    pub(super) campus_id: String,
    /// The core's account for it.
    pub(super) email: String,
}

impl Demo {
    /// The campus of an earlier run, or a new one.
    ///
    /// Its id and secret are kept in the data folder before it is added, because a secret is never
    /// shown again: a run that is killed in between finds the campus with the secret it knows.
    pub(super) async fn find_or_add(product: &Product, owner: &Client) -> anyhow::Result<Self> {
        let folder = &product.folder;
        let demo = Self {
            secret: folder.kept(SECRET_FILE, || support::servers::random_text(16))?,
            campus_id: folder.kept("campus", || Uuid::now_v7().to_string())?,
            email: account(product).await?,
        };
        let id = demo.campus_id.as_str();
        let core = product.core_url();
        let found = product.faithctl(&["campus", "show", id], "").await?.code == Some(0);
        if found {
            // The core may have another port this time.
            let moved = ["campus", "set", id, "--api-base-url", &core];
            product.faithctl(&moved, "").await?.checked()?;
        } else {
            let secret = folder.join(SECRET_FILE).display().to_string();
            let mut add = vec!["campus", "add", "--name", "Demo", "--id", id];
            add.extend(["--core-church-id", &product.church_id, "--api-base-url", &core]);
            add.extend(["--api-email", &demo.email, "--api-password-stdin"]);
            add.extend(["--secret-file", &secret, "--timezone", "Asia/Jakarta"]);
            product.faithctl(&add, DEFAULT_PASSWORD).await?.checked()?;
        }
        demo.register(product).await?;
        forget_logins(product, owner).await?;
        Ok(demo)
    }

    /// Tells the simulated core where its webhooks go, as an administrator of FaithFlow would.
    async fn register(&self, product: &Product) -> anyhow::Result<()> {
        let url = format!("{}/control/churches/{}/webhook", product.core_url(), product.church_id);
        reqwest::Client::new()
            .put(url)
            .json(&json!({"url": product.webhook_url(), "secret": self.secret}))
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .context("the simulated core does not take its webhook")?;
        Ok(())
    }
}

/// The core that was just started has forgotten all logins, so the budget that is kept for it
/// begins anew too: else the fifth start within a minute would wait for the end of that minute.
async fn forget_logins(product: &Product, owner: &Client) -> anyhow::Result<()> {
    owner
        .execute("DELETE FROM core_logins WHERE host = $1", &[&product.core.to_string()])
        .await
        .context("cannot forget the logins of the core's last run")?;
    Ok(())
}

async fn account(product: &Product) -> anyhow::Result<String> {
    let url = format!("{}/control/churches/{}", product.core_url(), product.church_id);
    let church: serde_json::Value = async { reqwest::get(url).await?.json().await }
        .await
        .context("the simulated core does not name its account")?;
    church["email"].as_str().map(str::to_owned).context("the church has no account")
}
