//! Why a message was not sent.

use std::time::Duration;

/// How long a receiver may take.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(15);

/// A message could not be sent. Neither text has an address's password, nor what a receiver answered.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The receiver could not be asked.
    #[error("the POST failed: {0}")]
    Post(#[source] reqwest::Error),
    /// It has not taken the message.
    #[error("the receiver answered HTTP {0}")]
    Refused(u16),
    /// The mail could not be written.
    #[error("the mail cannot be written: {0}")]
    Write(#[from] lettre::error::Error),
    /// The mail server could not be asked, or has not taken the mail.
    #[error("the mail was not sent: {0}")]
    Mail(#[from] lettre::transport::smtp::Error),
}
