//! The mail.

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MessageBuilder,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp,
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    error::{SendError, TIME_LIMIT},
    message,
};

/// Who gets mail, and by which server.
pub struct MailChannel {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl MailChannel {
    pub(crate) fn new(url: &str, from: Mailbox, to: Vec<Mailbox>) -> Result<Self, smtp::Error> {
        let server =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?.timeout(Some(TIME_LIMIT)).build();
        Ok(Self { server, from, to })
    }

    pub(crate) fn target(&self) -> String {
        let addresses: Vec<String> = self.to.iter().map(|to| to.email.to_string()).collect();
        addresses.join(", ")
    }

    pub(crate) async fn send(&self, id: Uuid, body: &Value) -> Result<(), SendError> {
        let (subject, text) = message::words(body);
        let mail = self.to.iter().cloned().fold(Message::builder(), MessageBuilder::to);
        let mail = mail
            .from(self.from.clone())
            .subject(subject)
            // The same however often it is sent, so that a server or a reader knows it again.
            .message_id(Some(format!("<{}@{}>", id.simple(), self.from.email.domain())))
            // No answer of an absent colleague: https://www.rfc-editor.org/rfc/rfc3834#section-5
            .raw_header(auto_submitted())
            .header(ContentType::TEXT_PLAIN)
            .body(text)?;
        self.server.send(mail).await?;
        Ok(())
    }
}

fn auto_submitted() -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
}
