#![doc = include_str!("../README.md")]

mod attempt;
mod backend;
mod config;
mod connect;
mod dial;
mod error;
mod failure;
mod host;
mod pool;
mod session;
mod statement_error;
mod target;
mod tls;
mod writable;

pub use attempt::Attempt;
pub use config::DatabaseConfig;
pub use connect::{ANSWER_LIMIT, Connected, OPEN_LIMIT, answered, within};
pub use error::DatabaseError;
pub use failure::{Fault, fault};
pub use pool::{Pool, PooledClient, PooledTransaction};
pub use statement_error::{Error, in_words};
pub use tokio_postgres::{Client, Row, Statement, Transaction, types};
pub use writable::ensure_writable;
