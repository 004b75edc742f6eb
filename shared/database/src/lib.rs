//! Connections to Postgres: where it is, how TLS is checked, what every session is set to.
//!
//! What is stored there belongs to other crates; a program that may connect may not yet write.

mod config;
mod connect;
mod failure;
mod tls;

pub use config::DatabaseConfig;
pub use connect::{
    ANSWER_LIMIT, Connected, DatabaseError, Pool, PooledClient, PooledTransaction, answered,
};
pub use failure::{Fault, fault};
pub use tokio_postgres::{Client, Error, Row, Statement, Transaction, types};
