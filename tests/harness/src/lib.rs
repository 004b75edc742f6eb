//! The harness of the system tests: [`TestSystem::spawn`] starts the whole product for one test.
//!
//! Each test has a database and a vhost of its own on servers that all tests of a run share, a
//! simulated core in its own process, and the real programs as processes on free ports. A test that
//! kills or freezes servers asks for a pair of its own: [`SystemBuilder::own_servers`].
//!
//! ```no_run
//! use core_sim::WebhookBody;
//! use harness::TestSystem;
//!
//! # async fn example() {
//! let system = TestSystem::spawn().await;
//! let answer = system.post(&system.campus, &WebhookBody::test(&system.campus.core_church_id)).await;
//! assert_eq!(answer.status, 200);
//! # }
//! ```
//!
//! Everything here panics when it cannot do what it is asked for, since only tests use it. When a
//! test fails, the ends of the programs' logs are printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "it is used by tests, which say what they expect by panicking"
)]

mod authority;
mod broker;
mod builder;
mod campus;
pub mod collector;
mod database;
mod environment;
mod eventually;
mod interception;
pub mod oracle;
mod probe;
mod proxies;
pub mod proxy;
mod role;
mod servers;
mod session;
mod system;
mod template;
mod webhook;

pub use support::program::Finished;

pub use self::{
    authority::Authority,
    broker::{TestBroker, permissions},
    builder::SystemBuilder,
    campus::Campus,
    database::TestDatabase,
    eventually::{Condition, eventually},
    interception::{Intercepted, Interception},
    proxies::Proxies,
    role::{ROLE_PASSWORD, Role},
    system::TestSystem,
    webhook::{Answer, SIGNATURE_HEADER, WEBHOOK_PATH},
};
