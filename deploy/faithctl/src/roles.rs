//! One database role a program: `deploy/roles.sql`, and the roles' passwords.

pub(crate) mod grants;

use std::{io::ErrorKind, path::Path};

use anyhow::Context;
use database::Client;
use postgres_protocol::password::scram_sha_256;

const ROLES: &str = include_str!("../../roles.sql");

/// The roles, one a program.
pub(crate) const NAMES: [&str; 5] =
    ["faith_gateway", "faith_worker", "faith_reconciler", "faith_console", "faith_admin"];

/// Makes the roles, with exactly the rights that the file gives them.
pub(crate) async fn apply(client: &Client) -> anyhow::Result<()> {
    client.batch_execute(ROLES).await.context("cannot make the programs' roles")
}

/// Gives a role the password in the file of its name in `folder`; false where there is none.
///
/// Hashed here, as the server would: the password itself is then in no log of statements.
pub(crate) async fn set_password(
    client: &Client,
    role: &str,
    folder: &Path,
) -> anyhow::Result<bool> {
    let file = folder.join(role);
    let password = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", file.display()));
        }
    };
    let password = password.trim();
    if password.is_empty() {
        anyhow::bail!("{} is empty", file.display());
    }
    let statement = format!("ALTER ROLE {role} PASSWORD '{}'", scram_sha_256(password.as_bytes()));
    client
        .batch_execute(&statement)
        .await
        .with_context(|| format!("cannot set the password of {role}"))?;
    Ok(true)
}
