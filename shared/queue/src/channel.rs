//! Channels of a connection.

use lapin::{Channel, Connection, options::ConfirmSelectOptions};

use crate::error::QueueError;

/// Opens a channel.
pub(crate) async fn open_channel(connection: &Connection) -> Result<Channel, QueueError> {
    connection.create_channel().await.map_err(QueueError::during("open a channel"))
}

/// Opens a channel that confirms what is published on it.
pub(crate) async fn open_confirming(connection: &Connection) -> Result<Channel, QueueError> {
    let channel = open_channel(connection).await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .map_err(QueueError::during("turn on publisher confirms"))?;
    Ok(channel)
}
