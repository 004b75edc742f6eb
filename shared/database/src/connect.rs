//! A session of one's own, for those who need one.

use std::{future::poll_fn, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_postgres::{AsyncMessage, Client, Connection};

use crate::{error::DatabaseError, statement_error::Error};

/// How long an answer is waited for: a little longer than Postgres itself lets a statement run.
///
/// Keepalives find a peer that is gone, but not one that is there and says nothing: a proxy that
/// has lost the server behind it answers them for ever.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(35);

/// How long whatever comes first on a session may take, its opening included, so that a Postgres that
/// takes connections and says nothing is tried every 5 s.
pub const OPEN_LIMIT: Duration = Duration::from_millis(4500);

/// Waits for what Postgres is asked, but not for ever. The session it was asked on must not be used
/// again after an error; a pool finds that out by itself.
pub async fn answered<T, E: From<DatabaseError>>(
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    within(ANSWER_LIMIT, answer).await
}

/// Waits for what Postgres is asked for so long.
pub async fn within<T, E: From<DatabaseError>>(
    limit: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(DatabaseError::Silent.into()))
}

/// A session of one's own.
pub struct Connected {
    /// The session.
    pub client: Client,
    /// `NOTIFY` payloads, for those who `LISTEN`; ends when the session does.
    pub notifications: mpsc::UnboundedReceiver<String>,
    /// Ends when the session does.
    pub connection: JoinHandle<()>,
}

impl Connected {
    pub(crate) fn new<S, T>(client: Client, mut connection: Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, notifications) = mpsc::unbounded_channel();
        let connection = tokio::spawn(async move {
            loop {
                match poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(notification))) => {
                        // Nobody listening is no loss: the session may be used for more.
                        sender.send(notification.payload().to_owned()).ok();
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        tracing::debug!(error = %Error::from(error), "a Postgres session was lost");
                        return;
                    }
                    None => return,
                }
            }
        });
        Self { client, notifications, connection }
    }
}
