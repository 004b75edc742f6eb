//! Whether anything can be written.

use tokio_postgres::Client;

use crate::{backend::Backend, error::DatabaseError};

/// An error where nothing can be written: readiness of whoever writes, and a finding of `doctor`.
pub async fn ensure_writable(client: &Client) -> Result<(), DatabaseError> {
    let backend = Backend::of(client)
        .await
        .map_err(DatabaseError::during("ask whether Postgres takes writes"))?;
    if backend.is_standby {
        return Err(DatabaseError::ReadOnly("the server is a standby"));
    }
    if backend.is_read_only {
        return Err(DatabaseError::ReadOnly("default_transaction_read_only is on"));
    }
    Ok(())
}
