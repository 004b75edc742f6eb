//! Connections to Postgres: where it is, how TLS is checked, what every session is set to.
//!
//! What is stored there belongs to other crates; a program that may connect may not yet write.

mod config;
mod connect;
mod dial;
mod error;
mod failure;
mod pool;
mod session;
mod target;
mod tls;

pub use config::DatabaseConfig;
pub use connect::{ANSWER_LIMIT, Connected, OPEN_LIMIT, answered, within};
pub use dial::Attempt;
pub use error::{DatabaseError, Error, in_words};
pub use failure::{Fault, fault};
pub use pool::{Pool, PooledClient, PooledTransaction};
pub use session::ensure_writable;
pub use tokio_postgres::{Client, Row, Statement, Transaction, types};
