//! Where a campus's core is and how to log in there.

use anyhow::Context;
use campus::{Purpose, Sealer};
use core_api::{AllowedHosts, Credentials, Endpoint, EndpointParts};
use database::{Client, DatabaseError};
use store::CampusConfig;
use uuid::Uuid;

use super::id::unknown;
use crate::failure::UsageError;

/// A campus's way to its core, ready to be used.
pub(crate) struct CampusCore {
    pub(crate) config: CampusConfig,
    pub(crate) endpoint: Endpoint,
    pub(crate) credentials: Credentials,
}

impl CampusCore {
    /// Reads and opens what a campus's core needs.
    pub(crate) async fn load(
        client: &Client,
        sealer: &Sealer,
        allowed: &AllowedHosts,
        id: Uuid,
    ) -> anyhow::Result<Self> {
        let Some(config) = CampusConfig::load(client, id).await? else {
            return Err(unknown(client, id).await);
        };
        let config = config.with_context(|| format!("campus {id} cannot be synced"))?;
        let endpoint = Endpoint::parse(parts(&config), allowed)?;
        let password = sealer
            .open(id, Purpose::CorePassword, &config.api_password_sealed)
            .context("cannot open the core password")?;
        let credentials = Credentials {
            email: config.api_email.clone(),
            password: password.expose().to_owned(),
            church: Some(config.core_church_id.clone()),
        };
        Ok(Self { config, endpoint, credentials })
    }
}

fn parts(config: &CampusConfig) -> EndpointParts<'_> {
    EndpointParts {
        base_url: &config.api_base_url,
        path_prefix: &config.api_path_prefix,
        login_path: &config.api_login_path,
        members_path: &config.api_members_path,
    }
}

/// Refuses an address that the sync would refuse to talk to, before it is saved.
pub(super) fn endpoint(
    parts: EndpointParts<'_>,
    allowed: &AllowedHosts,
) -> Result<Endpoint, UsageError> {
    Endpoint::parse(parts, allowed).map_err(|error| UsageError::new(error.to_string()))
}

/// A statement that a rule of the schema refused, in words. Checking before would leave a moment in
/// between.
pub(super) async fn refused(
    client: &Client,
    error: database::Error,
    church: &str,
) -> anyhow::Error {
    let Some(refusal) = error.as_db_error() else {
        return DatabaseError::during("save the campus")(error).into();
    };
    match (refusal.constraint(), refusal.code().code()) {
        (Some("sync_configs_core_church_id_key"), _) => taken(client, church).await,
        // Raised by our own triggers, in words for people.
        (None, "23514") => anyhow::anyhow!("{}", refusal.message()),
        _ => DatabaseError::during("save the campus")(error).into(),
    }
}

async fn taken(client: &Client, church: &str) -> anyhow::Error {
    let owner = client
        .query_opt(
            "SELECT c.name, c.id FROM sync_configs s JOIN campuses c ON c.id = s.campus_id
             WHERE s.core_church_id = $1",
            &[&church],
        )
        .await;
    match owner {
        Ok(Some(row)) => anyhow::anyhow!(
            "the core church id {church} belongs to campus {} ({}) already",
            row.get::<_, Uuid>(1),
            row.get::<_, String>(0)
        ),
        _ => anyhow::anyhow!("the core church id {church} belongs to another campus already"),
    }
}
