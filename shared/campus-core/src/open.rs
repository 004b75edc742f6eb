//! The way to a campus's core.

use std::sync::Arc;

use campus::{Purpose, Sealer};
use core_api::{
    AllowedHosts, ClientError, ClientSettings, CoreClient, Credentials, Endpoint, EndpointParts,
    Session, Sessions,
};
use database::Pool;
use retry::{Cause, Failure, FailureKind};
use store::{CampusConfig, PostgresTokens};

/// A campus's way to its core, with the token that all programs share.
pub type CoreSession = Session<PostgresTokens>;

/// The cores of all campuses: one client, one session a campus.
pub struct CampusCores {
    sessions: Sessions<PostgresTokens>,
    sealer: Sealer,
    allowed: AllowedHosts,
}

impl CampusCores {
    /// No core is asked yet. Tokens are shared through `pool`.
    pub fn new(pool: Pool, sealer: Sealer, settings: ClientSettings) -> Result<Self, ClientError> {
        let allowed = settings.allowed.clone();
        let tokens = PostgresTokens::new(pool, sealer.clone());
        let sessions = Sessions::new(CoreClient::new(settings)?, Arc::new(tokens));
        Ok(Self { sessions, sealer, allowed })
    }

    /// The session that the campus's configuration leads to. One that cannot be used is mended by
    /// an operator, and until then an outage.
    pub fn open(&self, campus: &CampusConfig) -> Result<Arc<CoreSession>, Failure> {
        let endpoint = Endpoint::parse(
            EndpointParts {
                base_url: &campus.api_base_url,
                path_prefix: &campus.api_path_prefix,
                login_path: &campus.api_login_path,
                members_path: &campus.api_members_path,
            },
            &self.allowed,
        )
        .map_err(|error| unusable(&error))?;
        let password = self
            .sealer
            .open(campus.id, Purpose::CorePassword, &campus.api_password_sealed)
            .map_err(|error| unusable(&error))?;
        let credentials = Credentials {
            email: campus.api_email.clone(),
            password: password.expose().to_owned(),
            church: Some(campus.core_church_id.clone()),
        };
        Ok(self.sessions.of(campus.id, campus.version, &endpoint, &credentials))
    }
}

fn unusable(problem: &dyn std::error::Error) -> Failure {
    Failure::new(
        Cause::CoreUnavailable,
        FailureKind::Outage,
        format!("The core cannot be asked: {problem}."),
    )
}
