//! What can be done to members: created, changed, deleted, restored, purged, imported.

use chrono::Utc;

use super::core::{Core, CoreError};
use super::dice::Dice;
use super::document::Document;
use super::names;
use super::outbox::{Webhook, only_forced};
use super::webhook;

/// What a change did.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Changed {
    /// The member as it is now.
    pub member: Document,
    /// The id of the webhook that tells of it, where one is sent.
    pub event_id: Option<String>,
}

impl Core {
    /// A member as the core has it, soft-deleted ones included.
    pub fn member(&self, member_id: &str) -> Option<Document> {
        self.church_of_member(member_id)?.document(member_id)
    }

    /// The id of a church's generated member.
    pub fn member_id(&self, church_id: &str, row: u64) -> Result<String, CoreError> {
        Ok(self.church(church_id)?.generator.id(row))
    }

    /// Visits every member of a church that exists, soft-deleted ones included, in no order.
    pub fn for_each_member(
        &self,
        church_id: &str,
        visit: impl FnMut(&Document),
    ) -> Result<(), CoreError> {
        self.church(church_id)?.for_each(visit);
        Ok(())
    }

    /// How many members a church's list has: inactive included, deleted not.
    pub fn listed(&self, church_id: &str) -> Result<u64, CoreError> {
        Ok(self.church(church_id)?.listed(None))
    }

    /// Creates a member: `fields` over a blank one. An `id` in the fields is taken, else one is made.
    pub fn create(
        &self,
        church_id: &str,
        fields: impl Into<Document>,
        webhook: Webhook,
    ) -> Result<Changed, CoreError> {
        let church = self.church(church_id)?;
        let fields = fields.into();
        let (number, made) = church.next_created();
        let id = fields.text("id").map_or(made, str::to_owned);
        if self.church_of_member(&id).is_some() {
            return Err(CoreError::Exists);
        }
        let code = Dice::new(&[self.seed, church.generator.church as u64, number]);
        let code = { code }.between(100_000, 999_999);
        let mut member = church.generator.blank(&id, code, &now());
        member.merge(&fields);
        complete_name(&mut member);
        church.put(&id, member.clone());
        let event_id = self.emit(church, webhook, "member.created", &id, || {
            (webhook::created_data(&member), None)
        });
        Ok(Changed { member, event_id })
    }

    /// Sets keys of a member, and its `updated_at`.
    pub fn change(
        &self,
        member_id: &str,
        patch: impl Into<Document>,
        webhook: Webhook,
    ) -> Result<Changed, CoreError> {
        let church = self.church_of_member(member_id).ok_or(CoreError::NoMember)?;
        let mut patch = patch.into();
        patch.set("updated_at", now());
        let member = church
            .change(member_id, self.settings().move_on_change, |member| member.merge(&patch))
            .ok_or(CoreError::NoMember)?;
        let event_id = self.emit(church, webhook, "member.updated", member_id, || {
            (webhook::updated_data(&member), Some(patch))
        });
        Ok(Changed { member, event_id })
    }

    /// Takes keys out of a member, so that its answers do not have them at all. No webhook.
    pub fn remove_keys(&self, member_id: &str, keys: &[&str]) -> Result<Document, CoreError> {
        let church = self.church_of_member(member_id).ok_or(CoreError::NoMember)?;
        let remove = |member: &mut Document| {
            for key in keys {
                member.remove(key);
            }
        };
        church.change(member_id, false, remove).ok_or(CoreError::NoMember)
    }

    /// Replaces a member by any object, or adds it under that id. No webhook.
    pub fn put(
        &self,
        church_id: &str,
        member_id: &str,
        member: impl Into<Document>,
    ) -> Result<(), CoreError> {
        let church = self.church(church_id)?;
        let owner = self.church_of_member(member_id);
        if owner.is_some_and(|owner| owner.id != church.id) {
            return Err(CoreError::Exists);
        }
        church.put(member_id, member.into());
        Ok(())
    }

    /// Deletes a member softly, as FaithFlow's users do.
    pub fn delete(&self, member_id: &str, webhook: Webhook) -> Result<Changed, CoreError> {
        let church = self.church_of_member(member_id).ok_or(CoreError::NoMember)?;
        let deleted_by = format!("u{}", church.generator.church + 1);
        let member = church
            .change(member_id, false, |member| {
                member.set("is_active", false);
                member.set("is_deleted", true);
                member.set("deleted_at", now());
                member.set("deleted_by", deleted_by);
                member.set("updated_at", now());
            })
            .ok_or(CoreError::NoMember)?;
        let event_id = self.emit(church, webhook, "member.deleted", member_id, || {
            (webhook::deleted_data(&member), None)
        });
        Ok(Changed { member, event_id })
    }

    /// Takes a member back out of the trash. FaithFlow tells nobody, so only a forced webhook
    /// (`member.updated`) is sent.
    pub fn restore(&self, member_id: &str, webhook: Webhook) -> Result<Changed, CoreError> {
        let church = self.church_of_member(member_id).ok_or(CoreError::NoMember)?;
        let member = church
            .change(member_id, false, |member| {
                member.set("is_active", true);
                member.set("is_deleted", false);
                member.set("deleted_at", ());
                member.set("deleted_by", ());
                member.set("updated_at", now());
            })
            .ok_or(CoreError::NoMember)?;
        let event_id = self.emit(church, only_forced(webhook), "member.updated", member_id, || {
            (webhook::updated_data(&member), None)
        });
        Ok(Changed { member, event_id })
    }

    /// Removes a member for good. FaithFlow tells nobody, so only a forced webhook
    /// (`member.deleted`) is sent.
    pub fn purge(&self, member_id: &str, webhook: Webhook) -> Result<Option<String>, CoreError> {
        let church = self.church_of_member(member_id).ok_or(CoreError::NoMember)?;
        let member = church.document(member_id).ok_or(CoreError::NoMember)?;
        church.purge(member_id);
        Ok(self.emit(church, only_forced(webhook), "member.deleted", member_id, || {
            (webhook::deleted_data(&member), None)
        }))
    }

    /// Makes a church what a core is that was restored from an export: the same members under new ids, the
    /// deleted ones gone, and nobody told of it. Answers the old ids beside the new ones.
    pub fn renumber(&self, church_id: &str) -> Result<Vec<(String, String)>, CoreError> {
        let church = self.church(church_id)?;
        let mut members = Vec::new();
        church.for_each(|member| members.push(member.clone()));
        let mut renumbered = Vec::new();
        for mut member in members {
            let Some(old) = member.text("id").map(str::to_owned) else { continue };
            church.purge(&old);
            if !member.is_true("is_deleted") {
                let (_, new) = church.next_created();
                member.set("id", new.clone());
                church.put(&new, member);
                renumbered.push((old, new));
            }
        }
        Ok(renumbered)
    }

    /// Appends generated members to a church, as an import does, and answers their ids. FaithFlow
    /// tells nobody, so only forced webhooks (`member.created`) are sent.
    pub fn import(
        &self,
        church_id: &str,
        count: u64,
        webhook: Webhook,
    ) -> Result<Vec<String>, CoreError> {
        let church = self.church(church_id)?;
        let rows = church.import(count);
        let ids = rows.map(|row| {
            let id = church.generator.id(row);
            self.emit(church, only_forced(webhook), "member.created", &id, || {
                (webhook::created_data(&church.generator.member(row)), None)
            });
            id
        });
        Ok(ids.collect())
    }
}

/// First, last and full name complete each other, as in the core.
fn complete_name(member: &mut Document) {
    let known = |key: &str| member.text(key).map(str::to_owned);
    match (known("full_name"), known("first_name"), known("last_name")) {
        (Some(full), None, None) => {
            let (first, last) = names::split(&full);
            member.set("first_name", first);
            member.set("last_name", last);
        }
        (None, first, last) if first.is_some() || last.is_some() => {
            let parts: Vec<String> = [first, last].into_iter().flatten().collect();
            member.set("full_name", parts.join(" "));
        }
        _ => {}
    }
}

/// The present moment as the core stamps changes: microseconds, no zone.
fn now() -> String {
    Utc::now().format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}
