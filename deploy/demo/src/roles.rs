//! The tables, and one database role for each program.

use std::collections::BTreeMap;

use anyhow::Context;
use database::Client;
use reqwest::Url;
use support::{
    program::{run_to_end, workspace},
    servers::DataFolder,
};

use super::backends::{Backends, connect};

/// The roles of `deploy/roles.sql`, by the program that works under them.
const ROLES: [(&str, &str); 5] = [
    ("gateway", "faith_gateway"),
    ("worker", "faith_worker"),
    ("reconciler", "faith_reconciler"),
    ("console", "faith_console"),
    ("faithctl", "faith_admin"),
];

/// Each program's `DATABASE_URL`.
pub(super) type RoleUrls = BTreeMap<&'static str, String>;

/// Migrates and makes the roles; answers each program's `DATABASE_URL`.
pub(super) async fn migrate(
    folder: &DataFolder,
    backends: &Backends,
    settings: &BTreeMap<String, String>,
) -> anyhow::Result<RoleUrls> {
    let mut owner = settings.clone();
    owner.insert("DATABASE_URL".to_owned(), backends.database_url.clone());
    run_to_end("faithctl", &["migrate"], b"", owner).await?.checked()?;

    let connected = backends.owner().await?;
    let client = &connected.client;
    let known = existing(client).await?;
    let sql = std::fs::read_to_string(workspace().join("deploy/roles.sql"))
        .context("cannot read deploy/roles.sql")?;
    let made = client.batch_execute(&sql).await;
    if backends.postgres.is_some() {
        made.context("cannot apply deploy/roles.sql")?;
    }

    let mut urls = RoleUrls::new();
    for (program, role) in ROLES {
        let password = folder.kept_password(&format!("{role}.password"))?;
        // On a server that is not ours, a role that was there before keeps its password: a real
        // installation may live by it.
        if backends.postgres.is_some() || !known.iter().any(|name| name == role) {
            let sql = format!("ALTER ROLE {role} PASSWORD '{password}'");
            client.batch_execute(&sql).await.ok();
        }
        let url = url_of(&backends.database_url, role, &password)?;
        urls.insert(program, url_that_works(url, backends).await?);
    }
    Ok(urls)
}

async fn existing(client: &Client) -> anyhow::Result<Vec<String>> {
    let rows = client
        .query("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'faith\\_%'", &[])
        .await
        .context("cannot list roles")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn url_of(owner: &str, role: &str, password: &str) -> anyhow::Result<String> {
    let mut url: Url = owner.parse().context("DATABASE_URL is not a URL")?;
    url.set_username(role)
        .and_then(|()| url.set_password(Some(password)))
        .map_err(|()| anyhow::anyhow!("DATABASE_URL names no host"))?;
    Ok(url.into())
}

/// The role's URL; on a server that is not ours, and where we may not make the role, the one that
/// was given.
async fn url_that_works(url: String, backends: &Backends) -> anyhow::Result<String> {
    match connect(&url).await {
        Ok(_) => Ok(url),
        Err(_) if backends.postgres.is_none() => Ok(backends.database_url.clone()),
        Err(error) => Err(error),
    }
}
