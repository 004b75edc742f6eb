//! Asking a gateway over the web, as its senders do.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use reqwest::{Client, ClientBuilder, redirect};
use rustls::{ClientConfig, crypto::ring};

/// A client that gives up after `limit`. It trusts the authorities that this machine trusts; a
/// machine that knows none, as minimal containers do, trusts Mozilla's.
pub(crate) fn client(limit: Duration) -> anyhow::Result<Client> {
    builder(limit)
        .build()
        .or_else(|_| Ok(builder(limit).tls_backend_preconfigured(mozilla()?).build()?))
}

fn builder(limit: Duration) -> ClientBuilder {
    Client::builder()
        .timeout(limit)
        // A redirect is a failure to FaithFlow: it is shown, not followed.
        .redirect(redirect::Policy::none())
        .user_agent(concat!("faithctl/", env!("CARGO_PKG_VERSION")))
}

fn mozilla() -> anyhow::Result<ClientConfig> {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("cannot set up TLS")?
        .with_root_certificates(runtime::root_store(None)?)
        .with_no_client_auth())
}
