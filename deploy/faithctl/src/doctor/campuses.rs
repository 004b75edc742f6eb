//! Campuses: secrets that open, configurations that can be used, cores that answer.

use std::{collections::HashMap, time::Duration};

use campus::{Purpose, Sealer};
use chrono::Utc;
use core_api::{ClientSettings, CoreClient, CoreError, Token};
use database::{Client, DatabaseError, Pool, Row};
use store::{PostgresTokens, records::CampusRecord};
use uuid::Uuid;

use super::check::Report;
use crate::{
    campus::{CampusCore, LoginError, SECRET_AGE, advice, filter_faults, log_in},
    environment::Environment,
    failure::in_words,
    moment,
};

/// A core that takes longer to refuse a request is not well.
const TIME_LIMIT: Duration = Duration::from_secs(5);

const KEY: &str = "is SECRETS_KEY the one that the campus was added with?";

pub(super) async fn check(
    report: &mut Report,
    environment: &Environment,
    client: &Client,
    login: bool,
) {
    // Bad settings have been reported.
    let (Ok(sealer), Ok(allowed)) = (environment.sealer(), environment.allowed_hosts()) else {
        return;
    };
    let settings = ClientSettings {
        allowed: allowed.clone(),
        request_timeout: TIME_LIMIT,
        ..ClientSettings::default()
    };
    let examined = async {
        let campuses = CampusRecord::all(client).await?;
        if campuses.is_empty() {
            report.warn("campuses", "none is synced yet", "`faithctl campus add --help` tells how");
        }
        let tokens = PostgresTokens::new(Pool::new(&environment.database()?)?, sealer.clone());
        let mut cores =
            Cores { api: CoreClient::new(settings)?, tokens, asked: HashMap::new(), login };
        for campus in &campuses {
            let subject = format!("campus {} ({})", campus.name, campus.id);
            let sound = sealed(report, &subject, client, &sealer, campus.id).await?;
            age(report, &subject, campus);
            match CampusCore::load(client, &sealer, &allowed, campus.id).await {
                Ok(core) if sound => {
                    let is_well = cores.ask(report, &subject, campus, &core).await;
                    if is_well && campus.is_enabled {
                        filter(report, &subject, &core, &sealer, environment).await;
                    }
                }
                Err(error) if sound => report.fail(
                    &subject,
                    in_words(&error),
                    format!(
                        "correct it: `faithctl campus show {}`, then set or set-filter",
                        campus.id
                    ),
                ),
                _ => {}
            }
        }
        anyhow::Ok(())
    };
    if let Err(error) = examined.await {
        report.fail("campuses", in_words(&error), "see the other failures first");
    }
}

/// Whether everything sealed of a campus opens.
async fn sealed(
    report: &mut Report,
    subject: &str,
    client: &Client,
    sealer: &Sealer,
    id: Uuid,
) -> Result<bool, DatabaseError> {
    let row = client
        .query_one(
            "SELECT s.webhook_secret_sealed, s.api_password_sealed, t.token_sealed,
                    CASE WHEN now() < s.previous_secret_expires_at THEN s.previous_secret_sealed END
                        AS previous_secret_sealed
             FROM sync_configs s LEFT JOIN core_tokens t USING (campus_id) WHERE campus_id = $1",
            &[&id],
        )
        .await
        .map_err(DatabaseError::during("read what is sealed"))?;
    let opens = |column, purpose| opens(&row, column, sealer, id, purpose);
    let mut sound = true;
    for (column, what, purpose) in [
        ("webhook_secret_sealed", "webhook secret", Purpose::WebhookSecret),
        ("api_password_sealed", "core password", Purpose::CorePassword),
    ] {
        if !opens(column, purpose) {
            sound = false;
            report.fail(subject, format!("the {what} does not open"), KEY);
        }
    }
    if !opens("previous_secret_sealed", Purpose::WebhookSecret) {
        report.warn(
            subject,
            "the previous webhook secret does not open: a sender that still uses it gets 401",
            KEY,
        );
    }
    if !opens("token_sealed", Purpose::CoreToken) {
        report.warn(
            subject,
            "the core token does not open",
            "nothing to do: the next login replaces it",
        );
    }
    Ok(sound)
}

/// Whether a column opens; one that is null has nothing to open.
fn opens(row: &Row, column: &str, sealer: &Sealer, id: Uuid, purpose: Purpose) -> bool {
    let value: Option<&[u8]> = row.get(column);
    value.is_none_or(|value| sealer.open(id, purpose, value).is_ok())
}

/// Whether the core's members have the fields that the filter names; without them every event dies. A core that
/// cannot be asked is not told of twice.
async fn filter(
    report: &mut Report,
    subject: &str,
    core: &CampusCore,
    sealer: &Sealer,
    environment: &Environment,
) {
    let filter = &core.config.filter;
    if filter.is_empty() {
        return;
    }
    match filter_faults(filter, core, sealer.clone(), environment).await {
        Ok(faults) if faults.is_empty() => {}
        Ok(faults) => report.fail(
            subject,
            format!("the sync filter decides nothing: {}", faults.join("; ")),
            format!("mend it: `faithctl campus set-filter {}`", core.config.id),
        ),
        Err(error) => report.warn(
            subject,
            format!(
                "whether its members have the filter's fields cannot be asked: {}",
                in_words(&error)
            ),
            "try again a little later",
        ),
    }
}

fn age(report: &mut Report, subject: &str, campus: &CampusRecord) {
    if Utc::now() - campus.webhook_secret_set_at > SECRET_AGE {
        report.warn(
            subject,
            format!("the webhook secret is {} old", moment::age(campus.webhook_secret_set_at)),
            format!("every 90 days a new one: `faithctl campus rotate-secret {}`", campus.id),
        );
    }
}

/// The cores, each asked once however many campuses it has.
struct Cores {
    api: CoreClient,
    tokens: PostgresTokens,
    /// By address: what is wrong, and what to do about it.
    asked: HashMap<String, Option<(String, String)>>,
    login: bool,
}

impl Cores {
    async fn ask(
        &mut self,
        report: &mut Report,
        subject: &str,
        campus: &CampusRecord,
        core: &CampusCore,
    ) -> bool {
        let problem = if self.login {
            self.log_in(core).await
        } else {
            let key = format!("{:?}", core.endpoint);
            if let Some(known) = self.asked.get(&key) {
                known.clone()
            } else {
                let problem = self.knock(core).await;
                self.asked.insert(key, problem.clone());
                problem
            }
        };
        let is_well = problem.is_none();
        match problem {
            None => {
                let disabled = if campus.is_enabled { "" } else { "; it is disabled" };
                let how = if self.login { "takes its login" } else { "answers" };
                report.ok(subject, format!("secrets open, its core {how}{disabled}"));
            }
            Some((detail, advice)) if campus.is_enabled => report.fail(subject, detail, advice),
            Some((detail, advice)) => {
                report.warn(subject, format!("{detail}; it is disabled"), advice);
            }
        }
        is_well
    }

    /// Asks for members with a token that is none: a core in its right place refuses it.
    async fn knock(&self, core: &CampusCore) -> Option<(String, String)> {
        let nobody = Token::new("faithctl-doctor")?;
        match self.api.page(&core.endpoint, &nobody, 0, 1, Vec::new()).await {
            Ok(_) | Err(CoreError::Unauthorized { .. } | CoreError::Forbidden { .. }) => None,
            Err(error) => {
                let advice = advice(&error, core);
                Some((in_words(&error.into()), advice))
            }
        }
    }

    async fn log_in(&self, core: &CampusCore) -> Option<(String, String)> {
        match log_in(core, &self.api, &self.tokens).await {
            Ok(_) => None,
            Err(LoginError::Core(error)) => {
                let advice = advice(&error, core);
                Some((in_words(&error.into()), advice))
            }
            Err(LoginError::Other(error)) => {
                Some((in_words(&error), "try again in a minute".to_owned()))
            }
        }
    }
}
