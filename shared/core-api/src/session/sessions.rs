//! The sessions of a process, one for each campus.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use uuid::Uuid;

use super::{Session, TokenStore, token::Renewal};
use crate::{CoreClient, Credentials, Endpoint};

/// The sessions of a process.
#[derive(Debug)]
pub struct Sessions<S> {
    client: CoreClient,
    store: Arc<S>,
    renewal: Renewal,
    by_campus: Mutex<HashMap<Uuid, Arc<Session<S>>>>,
}

impl<S: TokenStore> Sessions<S> {
    /// No sessions yet.
    pub fn new(client: CoreClient, store: Arc<S>) -> Self {
        Self { client, store, renewal: Renewal::random(), by_campus: Mutex::default() }
    }

    /// The campus's session, as version `config` of its configuration says. A new one where its core's
    /// address or login is not what it was: a token must not go to another core, and another account may see
    /// something else.
    pub fn of(
        &self,
        campus: Uuid,
        config: i64,
        endpoint: &Endpoint,
        credentials: &Credentials,
    ) -> Arc<Session<S>> {
        let mut by_campus = self.by_campus.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = by_campus.get(&campus)
            && session.endpoint == *endpoint
            && session.credentials == *credentials
        {
            session.config_version.fetch_max(config, Ordering::Relaxed);
            return Arc::clone(session);
        }
        let session = Arc::new(Session::new(
            self.client.clone(),
            Arc::clone(&self.store),
            campus,
            endpoint.clone(),
            credentials.clone(),
            self.renewal,
        ));
        session.config_version.store(config, Ordering::Relaxed);
        by_campus.insert(campus, Arc::clone(&session));
        session
    }
}
