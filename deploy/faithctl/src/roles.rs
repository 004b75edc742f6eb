//! One database role a program: `deploy/roles.sql`, and the roles' passwords.

use std::{io::ErrorKind, path::Path};

use anyhow::Context;
use database::Client;
use postgres_protocol::password::scram_sha_256;

use crate::output;

const ROLES: &str = include_str!("../../roles.sql");

const NAMES: [&str; 4] = ["faith_gateway", "faith_worker", "faith_reconciler", "faith_admin"];

/// Makes the roles, with exactly the rights that the file gives them.
pub(crate) async fn apply(client: &Client) -> anyhow::Result<()> {
    client.batch_execute(ROLES).await.context("cannot make the programs' roles")?;
    output::line("every program's role has its rights")
}

/// Gives each role that has a file in `folder` the password in it.
///
/// Hashed here, as the server would: the password itself is then in no log of statements.
pub(crate) async fn set_passwords(client: &Client, folder: &Path) -> anyhow::Result<()> {
    for role in NAMES {
        let file = folder.join(role);
        let password = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                output::line(&format!("{role} keeps its password: there is no file of its name"))?;
                continue;
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        let password = password.trim();
        if password.is_empty() {
            anyhow::bail!("{} is empty", file.display());
        }
        let statement =
            format!("ALTER ROLE {role} PASSWORD '{}'", scram_sha_256(password.as_bytes()));
        client
            .batch_execute(&statement)
            .await
            .with_context(|| format!("cannot set the password of {role}"))?;
        output::line(&format!("{role} has the password of its file"))?;
    }
    Ok(())
}
