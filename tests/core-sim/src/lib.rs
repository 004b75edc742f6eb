//! A simulated FaithFlow core: the API that the worker and the reconciler ask, and the sender that
//! posts webhooks to the gateway.
//!
//! It behaves as the real backend was seen to behave: recorded answers and webhooks are in
//! `samples/faithflow/`. Tests start it in their own process and drive it with the methods of
//! [`Core`], which [`CoreSim`] gives access to; the program `core-sim` runs it alone and is driven by
//! HTTP. Both can do the same.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use serde_json::json;
//! use core_sim::{CoreSim, FIRST_CHURCH_ID, Fault, FaultKind, Options, Webhook};
//!
//! let sim = CoreSim::start(Options::default()).await?;
//! sim.set_webhook(FIRST_CHURCH_ID, "http://127.0.0.1:8080/api/sync/webhook", "secret")?;
//! sim.set(|settings| settings.sender = true);
//! let changed = sim.create(FIRST_CHURCH_ID, json!({"full_name": "Sumarni"}), Webhook::AsUsual)?;
//! let fault = sim.add_fault(Fault::everywhere(FaultKind::Hang).with_times(3));
//! # let _ = (changed, fault);
//! # Ok(())
//! # }
//! ```
#![doc = include_str!("control.md")]

mod api;
mod changes;
mod church;
pub mod cli;
mod control;
mod core;
mod counters;
mod deliveries;
mod dice;
mod document;
mod faults;
mod generator;
mod identity;
mod journal;
mod line;
mod list;
mod login;
mod members;
mod names;
mod options;
mod outbox;
mod photos;
mod prebuilt;
mod reply;
mod roster;
mod sender;
mod server;
mod target;
#[cfg(test)]
mod tests;
mod validation;
mod webhook;

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::server::Server;

pub use self::changes::{ChangeCounts, RandomChanges};
pub use self::core::{Core, CoreError};
pub use self::counters::{Counters, Endpoint, EndpointCounters};
pub use self::deliveries::{Attempt, Delivery, DeliveryState};
pub use self::document::Document;
pub use self::faults::{Fault, FaultKind, NO_CHURCH_ID};
pub use self::members::Changed;
pub use self::options::{
    ChurchOptions, DEFAULT_PASSWORD, FIRST_CHURCH_ID, ListShape, Options, SUPER_ADMIN_EMAIL,
    Settings,
};
pub use self::outbox::Webhook;
pub use self::target::WebhookTarget;
pub use self::webhook::{WebhookBody, sign, timestamp_now};

/// The calls of the control API, for people.
pub const CONTROL_API: &str = include_str!("control.md");

/// A running simulation; dropping it ends the server and the sender.
#[derive(Debug)]
pub struct CoreSim {
    core: Arc<Core>,
    address: SocketAddr,
    server: Option<Server>,
    stop: CancellationToken,
}

impl CoreSim {
    /// Starts a simulation. Fails where the address cannot be listened on.
    pub async fn start(options: Options) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let core = Arc::new(Core::new(&options, stop.clone()).map_err(io::Error::other)?);
        if let Some(state) = &options.state {
            core.remember(state)?;
        }
        let server = Box::pin(Server::start(Arc::clone(&core), options.listen)).await?;
        Ok(Self { core, address: server.address, server: Some(server), stop })
    }

    /// Where it listens: `http://127.0.0.1:PORT`, without the prefix.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes the port and every connection, as a core does that goes down. Members, tokens and
    /// webhooks stay, and the sender goes on.
    pub async fn go_away(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// Listens again, on the same port. Fails where another program has taken it.
    pub async fn come_back(&mut self) -> io::Result<()> {
        if self.server.is_none() {
            self.server = Some(Server::start(Arc::clone(&self.core), self.address).await?);
        }
        Ok(())
    }
}

impl Deref for CoreSim {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl Drop for CoreSim {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
