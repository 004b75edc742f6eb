//! The campus that a command is about: by its id, or by its name where only one has it.

use clap::Args;
use database::Client;
use store::{CampusReference, CampusReferenceError, records::CampusRecord};
use uuid::Uuid;

use crate::{environment::Environment, failure::UsageError};

/// How near a name is that may have been meant, from 0 to 1.
const NEAR: f64 = 0.8;

/// The campus's id. An error where no campus, or more than one, has the name.
pub(crate) async fn find_campus(
    reference: &CampusReference,
    client: &Client,
) -> anyhow::Result<Uuid> {
    match reference.find(client).await {
        Ok(id) => Ok(id),
        Err(error @ CampusReferenceError::Ambiguous { .. }) => {
            Err(UsageError::new(error.to_string()).into())
        }
        Err(CampusReferenceError::Unknown { name, others }) => {
            let is_near = |other: &&String| {
                strsim::jaro_winkler(&other.to_lowercase(), &name.to_lowercase()) >= NEAR
            };
            let near = others.iter().find(is_near);
            let near = near.map_or_else(String::new, |near| format!(" (is {near:?} meant?)"));
            anyhow::bail!("no campus is named {name:?}{near}: `faithctl campus list` lists them")
        }
        Err(CampusReferenceError::Database(error)) => Err(error.into()),
    }
}

/// The same of a filter, where one was given.
pub(crate) async fn find_optional_campus(
    reference: Option<&CampusReference>,
    client: &Client,
) -> anyhow::Result<Option<Uuid>> {
    match reference {
        Some(reference) => find_campus(reference, client).await.map(Some),
        None => Ok(None),
    }
}

/// The campus that a command is about.
#[derive(Debug, Clone, Args)]
pub(crate) struct CampusId {
    /// Id of the campus, or its name where only one has it
    #[arg(value_name = "CAMPUS")]
    given: CampusReference,
    /// What that leads to, once it was looked for.
    #[arg(skip)]
    pub(crate) id: Uuid,
}

impl CampusId {
    /// Looks for the campus; whoever gave an id needs no database for that.
    pub(crate) async fn find(&mut self, environment: &Environment) -> anyhow::Result<()> {
        self.id = match &self.given {
            CampusReference::Id(id) => *id,
            name @ CampusReference::Name(_) => {
                find_campus(name, &environment.client().await?).await?
            }
        };
        environment.change().of_campus(self.id);
        Ok(())
    }
}

/// The campus with this id, or an error that says what to do.
pub(crate) async fn load_campus(client: &Client, id: Uuid) -> anyhow::Result<CampusRecord> {
    match CampusRecord::find(client, id).await? {
        Some(campus) => Ok(campus),
        None => Err(unknown(client, id).await),
    }
}

/// What to answer where no synced campus has this id.
pub(super) async fn unknown(client: &Client, id: Uuid) -> anyhow::Error {
    match CampusRecord::name_of(client, id).await.ok().flatten() {
        Some(name) => anyhow::anyhow!(
            "campus {id} ({name}) is not synced yet: `faithctl campus add --id {id} …` sets it up"
        ),
        None => anyhow::anyhow!("no campus has the id {id}: `faithctl campus list` shows them"),
    }
}
