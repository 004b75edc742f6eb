//! Names to addresses, without the private ones.

use std::{net::SocketAddr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::{AllowedHosts, public_address::is_public_address};

/// The name has private addresses only.
#[derive(Clone, Copy, Debug, Error)]
#[error("the host has a private address")]
pub(crate) struct PrivateAddress;

/// The system's resolver, minus private addresses of hosts that nobody named.
///
/// Checked at every resolution and not when the URL is saved: a name may be pointed elsewhere afterwards
/// (DNS rebinding). What the connection then uses is what was checked here.
#[derive(Clone, Debug)]
pub(crate) struct PublicResolver {
    allowed: Arc<AllowedHosts>,
}

impl PublicResolver {
    pub(crate) fn new(allowed: AllowedHosts) -> Self {
        Self { allowed: Arc::new(allowed) }
    }
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let named = allowed.names_host(name.as_str());
            let addresses: Vec<SocketAddr> =
                addresses.filter(|address| named || is_public_address(address.ip())).collect();
            if addresses.is_empty() {
                return Err(PrivateAddress.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
