//! A way to people.

use serde_json::Value;
use uuid::Uuid;

use crate::{error::SendError, mail::MailChannel, webhook::WebhookChannel};

/// A way to people.
pub enum Channel {
    /// A signed POST.
    Webhook(WebhookChannel),
    /// Mail.
    Mail(MailChannel),
}

impl Channel {
    /// The names of all there can be.
    pub const NAMES: [&str; 2] = [Self::WEBHOOK, Self::MAIL];

    const WEBHOOK: &str = "webhook";
    const MAIL: &str = "mail";

    /// Its name in the table and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => Self::WEBHOOK,
            Self::Mail(_) => Self::MAIL,
        }
    }

    /// Where it leads, for people: a host, or addresses.
    pub fn target(&self) -> String {
        match self {
            Self::Webhook(webhook) => webhook.target(),
            Self::Mail(mail) => mail.target(),
        }
    }

    /// Sends a message; `id` stays the same however often it is sent.
    ///
    /// # Errors
    ///
    /// Where the receiver has not taken it.
    pub async fn send(&self, id: Uuid, body: &Value) -> Result<(), SendError> {
        match self {
            Self::Webhook(webhook) => webhook.send(id, body).await,
            Self::Mail(mail) => mail.send(id, body).await,
        }
    }
}
