//! Which webhooks are posted, where to, and what has become of them.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::church::Church;
use super::core::{Core, CoreError};
use super::deliveries::Delivery;
use super::document::Document;
use super::target::WebhookTarget;
use super::webhook::{self, WebhookBody};

/// Whether a change posts a webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Webhook {
    /// As FaithFlow does, while the sender is on: on creation, change and deletion.
    #[default]
    AsUsual,
    /// In any case.
    Forced,
    /// In no case.
    Silent,
}

/// What FaithFlow does not tell of is told only by force.
pub(super) fn only_forced(webhook: Webhook) -> Webhook {
    if webhook == Webhook::Forced { webhook } else { Webhook::Silent }
}

impl Core {
    /// Configures where a church's webhooks go, and with which secret they are signed.
    pub fn set_webhook(&self, church_id: &str, url: &str, secret: &str) -> Result<(), CoreError> {
        let target = WebhookTarget { url: url.to_owned(), secret: secret.to_owned() };
        let church = self.church(church_id)?;
        *church.webhook.write().unwrap_or_else(PoisonError::into_inner) = Some(target);
        Ok(())
    }

    /// The configured URL and secret.
    pub fn webhook(&self, church_id: &str) -> Result<Option<WebhookTarget>, CoreError> {
        let church = self.church(church_id)?;
        Ok(church.webhook.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Posts a webhook with any body, and answers its event id; one is made where the body has none.
    pub fn send(&self, church_id: &str, body: WebhookBody) -> Result<String, CoreError> {
        Ok(self.sender.send(self.church(church_id)?, body))
    }

    /// Posts an event about a member as the sender would, changed or not. The `data` of a member
    /// that does not exist has its id alone.
    pub fn send_event(
        &self,
        church_id: &str,
        event_type: &str,
        member_id: &str,
    ) -> Result<String, CoreError> {
        let church = self.church(church_id)?;
        let member = church.document(member_id).unwrap_or_else(|| {
            let mut member = Document::new();
            member.set("id", member_id);
            member
        });
        let data = match event_type {
            "member.created" => webhook::created_data(&member),
            "member.deleted" => webhook::deleted_data(&member),
            _ => webhook::updated_data(&member),
        };
        let names = (church.id.as_str(), church.name.as_str());
        let body = WebhookBody::about_member(event_type, names, member_id, data, None);
        Ok(self.sender.send(church, body))
    }

    /// Waits until no webhook is pending; false after the timeout.
    pub async fn sender_idle(&self, timeout: Duration) -> bool {
        self.sender.idle(timeout).await
    }

    /// Waits until every webhook has had its first try; false after the timeout.
    pub async fn first_tries_done(&self, timeout: Duration) -> bool {
        self.sender.tried(timeout).await
    }

    /// Every webhook so far, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.sender.deliveries(|_| true)
    }

    /// One webhook.
    pub fn delivery(&self, event_id: &str) -> Option<Delivery> {
        self.sender.delivery(event_id)
    }

    /// The webhooks that some try got a 200, 201 or 202 for: each must have a fate.
    pub fn delivered_event_ids(&self) -> Vec<String> {
        self.sender.delivered_event_ids()
    }

    /// Forgets the record of webhooks; those on their way are still tried.
    pub fn forget_deliveries(&self) {
        self.sender.forget();
    }

    pub(super) fn emit(
        &self,
        church: &Arc<Church>,
        webhook: Webhook,
        event_type: &str,
        member_id: &str,
        content: impl FnOnce() -> (Document, Option<Document>),
    ) -> Option<String> {
        let wanted = match webhook {
            Webhook::AsUsual => self.settings().sender,
            Webhook::Forced => true,
            Webhook::Silent => false,
        };
        let configured = || church.webhook.read().unwrap_or_else(PoisonError::into_inner).is_some();
        (wanted && configured()).then(|| {
            let (data, changes) = content();
            let names = (church.id.as_str(), church.name.as_str());
            let body = WebhookBody::about_member(event_type, names, member_id, data, changes);
            self.sender.send(church, body)
        })
    }
}
