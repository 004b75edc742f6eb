//! The campus that a command is about, by its id.

use clap::Args;
use database::Client;
use uuid::Uuid;

/// The campus that a command is about.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct CampusId {
    /// Id of the campus, as `campus list` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: Uuid,
}

/// What to answer where no synced campus has this id.
pub(super) async fn unknown(client: &Client, id: Uuid) -> anyhow::Error {
    let name = client.query_opt("SELECT name FROM campuses WHERE id = $1", &[&id]).await;
    match name.ok().flatten() {
        Some(row) => anyhow::anyhow!(
            "campus {id} ({}) is not synced yet: `faithctl campus add --id {id} …` sets it up",
            row.get::<_, String>(0)
        ),
        None => anyhow::anyhow!("no campus has the id {id}: `faithctl campus list` shows them"),
    }
}
