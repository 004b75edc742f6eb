//! The control API: see the module's documentation for its calls.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::changes::RandomChanges;
use super::core::{Core, CoreError};
use super::document::Document;
use super::faults::Fault;
use super::options::Settings;
use super::outbox::Webhook;
use super::reply::{self, Reply};
use super::target::WebhookTarget;
use super::validation::parameter;
use super::webhook::WebhookBody;

/// Why a control call was refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Core(#[from] CoreError),
    #[error("the body is not what this call takes: {0}")]
    Body(#[from] serde_json::Error),
    #[error("?webhook= takes true or false")]
    Webhook,
    #[error("there is no such fault")]
    NoFault,
    #[error("there is no such control call")]
    NoCall,
}

impl Refusal {
    fn status(&self) -> u16 {
        match self {
            Self::Core(CoreError::Exists) => 409,
            Self::Core(_) | Self::NoFault | Self::NoCall => 404,
            Self::Body(_) | Self::Webhook => 400,
        }
    }
}

/// A control call.
struct Call<'a> {
    core: &'a Core,
    query: &'a [(String, String)],
    body: &'a Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Import {
    count: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    event_type: String,
    member_id: String,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wait {
    timeout_ms: u64,
}

impl Default for Wait {
    fn default() -> Self {
        Self { timeout_ms: 10_000 }
    }
}

/// Answers a call; `path` is what follows `/control`.
pub(super) async fn answer(
    core: &Core,
    method: &Method,
    path: &str,
    query: &[(String, String)],
    body: &Bytes,
) -> Reply {
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let call = Call { core, query, body };
    let outcome = match segments.as_slice() {
        [] => return reply::json(200, &json!({ "calls": super::CONTROL_API })),
        ["churches", rest @ ..] => call.churches(method, rest),
        ["members", id, rest @ ..] => call.member(method, id, rest),
        ["sender", "wait"] if method == Method::POST => call.wait().await,
        rest => call.other(method, rest),
    };
    match outcome {
        Ok(value) => reply::json(200, &value),
        Err(refusal) => reply::detail(refusal.status(), &refusal.to_string()),
    }
}

impl Call<'_> {
    fn churches(&self, method: &Method, path: &[&str]) -> Result<Value, Refusal> {
        let core = self.core;
        match (method.as_str(), path) {
            ("GET", []) => {
                let churches = core.churches.iter().map(|church| self.describe(&church.id));
                Ok(churches.collect::<Result<Vec<_>, _>>()?.into())
            }
            ("GET", [church]) => self.describe(church),
            ("POST", [church, "members"]) => {
                let changed = core.create(church, self.object::<Document>()?, self.webhook()?)?;
                Ok(serde_json::to_value(changed)?)
            }
            ("POST", [church, "import"]) => {
                let Import { count } = self.object()?;
                Ok(json!({ "ids": core.import(church, count, self.webhook()?)? }))
            }
            ("GET", [church, "webhook"]) => Ok(serde_json::to_value(core.webhook(church)?)?),
            ("PUT", [church, "webhook"]) => {
                let WebhookTarget { url, secret } = self.object()?;
                core.set_webhook(church, &url, &secret)?;
                Ok(json!({ "url": url }))
            }
            ("POST", [church, "test"]) => {
                Ok(json!({ "event_id": core.send(church, WebhookBody::test(church))? }))
            }
            ("POST", [church, "events"]) => {
                let Event { event_type, member_id } = self.object()?;
                Ok(json!({ "event_id": core.send_event(church, &event_type, &member_id)? }))
            }
            _ => Err(Refusal::NoCall),
        }
    }

    fn member(&self, method: &Method, id: &str, path: &[&str]) -> Result<Value, Refusal> {
        let core = self.core;
        match (method.as_str(), path) {
            ("GET", []) => Ok(serde_json::to_value(core.member(id).ok_or(CoreError::NoMember)?)?),
            ("PATCH", []) => self.patch(id),
            ("PUT", []) => {
                let member: Document = self.object()?;
                let owner = core.church_of_member(id).map(|church| church.id.as_str());
                let named = parameter(self.query, "church_id").or(owner);
                let church_id =
                    named.or_else(|| member.text("church_id")).unwrap_or_default().to_owned();
                core.put(&church_id, id, member)?;
                Ok(json!({ "id": id }))
            }
            ("DELETE", []) => Ok(serde_json::to_value(core.delete(id, self.webhook()?)?)?),
            ("POST", ["restore"]) => Ok(serde_json::to_value(core.restore(id, self.webhook()?)?)?),
            ("POST", ["purge"]) => Ok(json!({ "event_id": core.purge(id, self.webhook()?)? })),
            _ => Err(Refusal::NoCall),
        }
    }

    fn patch(&self, id: &str) -> Result<Value, Refusal> {
        let patch: Document = self.object()?;
        let removed =
            parameter(self.query, "remove").map(|keys| keys.split(',').collect::<Vec<_>>());
        if let Some(keys) = &removed {
            let member = self.core.remove_keys(id, keys)?;
            if patch == Document::new() {
                return Ok(json!({ "member": member, "event_id": null }));
            }
        }
        Ok(serde_json::to_value(self.core.change(id, patch, self.webhook()?)?)?)
    }

    fn other(&self, method: &Method, path: &[&str]) -> Result<Value, Refusal> {
        let core = self.core;
        match (method.as_str(), path) {
            ("POST", ["changes"]) => {
                let changes: RandomChanges = self.object()?;
                return Ok(serde_json::to_value(core.random_changes(&changes)?)?);
            }
            ("GET", ["settings"]) => return Ok(serde_json::to_value(&*core.settings())?),
            ("PUT", ["settings"]) => return self.settings(),
            ("DELETE", ["tokens"]) => core.revoke_tokens(),
            ("DELETE", ["logins"]) => core.forget_logins(),
            ("GET", ["counters"]) => return Ok(serde_json::to_value(core.counters())?),
            ("GET", ["counters", "members", id]) => {
                return Ok(json!({ "requests": core.member_requests(id) }));
            }
            ("DELETE", ["counters"]) => core.reset_counters(),
            ("GET", ["faults"]) => return self.faults(),
            ("POST", ["faults"]) => {
                return Ok(json!({ "id": core.add_fault(self.object::<Fault>()?) }));
            }
            ("DELETE", ["faults"]) => core.clear_faults(),
            ("DELETE", ["faults", id]) => {
                let removed = id.parse().is_ok_and(|id| core.remove_fault(id));
                removed.then_some(()).ok_or(Refusal::NoFault)?;
            }
            ("GET", ["deliveries"]) => return self.deliveries(),
            ("DELETE", ["deliveries"]) => core.forget_deliveries(),
            _ => return Err(Refusal::NoCall),
        }
        Ok(json!({ "done": true }))
    }

    fn settings(&self) -> Result<Value, Refusal> {
        let mut merged = serde_json::to_value(&*self.core.settings())?;
        let part: Value = self.object()?;
        if let (Some(merged), Value::Object(part)) = (merged.as_object_mut(), part) {
            merged.extend(part);
        }
        let settings: Settings = serde_json::from_value(merged.clone())?;
        self.core.set(|current| *current = settings);
        Ok(merged)
    }

    fn faults(&self) -> Result<Value, Refusal> {
        let faults = self.core.faults.list().into_iter().map(|(id, fault, struck)| {
            let mut fault = serde_json::to_value(fault)?;
            fault["id"] = id.into();
            fault["struck"] = struck.into();
            Ok(fault)
        });
        Ok(faults.collect::<Result<Vec<_>, serde_json::Error>>()?.into())
    }

    fn deliveries(&self) -> Result<Value, Refusal> {
        let state = parameter(self.query, "state")
            .map(|state| serde_json::from_value(state.into()))
            .transpose()?;
        let fits = |key: &str, value: Option<&str>| {
            parameter(self.query, key).is_none_or(|wanted| value == Some(wanted))
        };
        let deliveries = self.core.sender.deliveries(|delivery| {
            state.is_none_or(|state| delivery.state == state)
                && fits("event_id", Some(&delivery.event_id))
                && fits("member_id", delivery.member_id.as_deref())
                && fits("church_id", Some(&delivery.church_id))
        });
        Ok(serde_json::to_value(deliveries)?)
    }

    async fn wait(&self) -> Result<Value, Refusal> {
        let Wait { timeout_ms } = self.object()?;
        Ok(json!({ "idle": self.core.sender_idle(Duration::from_millis(timeout_ms)).await }))
    }

    fn describe(&self, church_id: &str) -> Result<Value, Refusal> {
        let church = self.core.church(church_id)?;
        let number = Some(church.generator.church);
        let account = self.core.accounts.iter().find(|account| account.church == number);
        Ok(json!({
            "id": church.id,
            "name": church.name,
            "email": account.map(|account| &account.email),
            "password": account.map(|account| &account.password),
            "listed": church.listed(None),
        }))
    }

    /// The body; an empty one counts as an empty object.
    fn object<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(if self.body.is_empty() { b"{}" } else { self.body })
    }

    fn webhook(&self) -> Result<Webhook, Refusal> {
        match parameter(self.query, "webhook") {
            None => Ok(Webhook::AsUsual),
            Some("true") => Ok(Webhook::Forced),
            Some("false") => Ok(Webhook::Silent),
            Some(_) => Err(Refusal::Webhook),
        }
    }
}
