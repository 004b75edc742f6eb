//! Campuses: secrets that open, configurations that can be used, cores that answer.

use std::{collections::HashMap, time::Duration};

use campus::{Purpose, Sealer};
use chrono::Utc;
use core_api::{ClientSettings, CoreClient, CoreError, Token};
use database::{Client, DatabaseError, Pool, Row};
use member::CoreMember;
use status::SECRET_AGE;
use store::{PostgresTokens, records::CampusRecord};
use uuid::Uuid;

use super::check::Report;
use crate::{
    campus::{
        CampusCore, FieldComparison, Listed, LoginError, Trial, advice, compare_without_login,
        log_in, try_by_id,
    },
    environment::Environment,
    failure::in_words,
    moment,
};

/// A core that takes longer to refuse a request is not well.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Rows of the list among which members to fetch by id are chosen.
const LISTED: u32 = 10;

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

/// Whether the core's members have the fields that the filter names; without them every event dies. Asked with the token that
/// a program, or `--login` just now, obtained. A core that cannot be asked is not told of twice.
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
    match compare_without_login(filter, core, sealer.clone(), environment).await {
        Ok(FieldComparison::NeedsLogin(why)) => report.ok(
            subject,
            format!("the core was not asked for the sync filter's fields: {why} (--login asks)"),
        ),
        Ok(FieldComparison::Compared(faults)) if faults.is_empty() => {
            report.ok(subject, "the core's members have the sync filter's fields");
        }
        Ok(FieldComparison::Compared(faults)) => report.fail(
            subject,
            format!("the sync filter decides nothing: {}", faults.join("; ")),
            format!("correct it: `faithctl campus set-filter {}`", core.config.id),
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
    /// By address: what was found.
    asked: HashMap<String, Result<String, Finding>>,
    login: bool,
}

/// What is wrong, and what to do about it.
#[derive(Clone)]
struct Finding {
    detail: String,
    advice: String,
}

impl Finding {
    fn of(error: CoreError, core: &CampusCore) -> Self {
        let advice = advice(&error, core);
        Self { detail: in_words(&error.into()), advice }
    }
}

impl Cores {
    async fn ask(
        &mut self,
        report: &mut Report,
        subject: &str,
        campus: &CampusRecord,
        core: &CampusCore,
    ) -> bool {
        let found = if self.login {
            self.log_in(core).await
        } else {
            let key = format!("{:?}", core.endpoint);
            if let Some(known) = self.asked.get(&key) {
                known.clone()
            } else {
                let found = self.knock(core).await;
                self.asked.insert(key, found.clone());
                found
            }
        };
        let disabled = if campus.is_enabled { "" } else { "; it is disabled" };
        let is_well = found.is_ok();
        match found {
            Ok(done) => report.ok(subject, format!("secrets open; {done}{disabled}")),
            Err(Finding { detail, advice }) if campus.is_enabled => {
                report.fail(subject, detail, advice);
            }
            Err(Finding { detail, advice }) => {
                report.warn(subject, format!("{detail}{disabled}"), advice);
            }
        }
        is_well
    }

    /// Asks for members with a token that is none: a core in its right place refuses it.
    async fn knock(&self, core: &CampusCore) -> Result<String, Finding> {
        const ANSWERS: &str = "its core answers (no login was tried: --login tries one)";
        let Some(nobody) = Token::new("faithctl-doctor") else { return Ok(ANSWERS.to_owned()) };
        match self.api.page(&core.endpoint, &nobody, 0, 1, Vec::new()).await {
            Ok(_) | Err(CoreError::Unauthorized { .. } | CoreError::Forbidden { .. }) => {
                Ok(ANSWERS.to_owned())
            }
            Err(error) => Err(Finding::of(error, core)),
        }
    }

    /// What an event does: a login, and a member fetched by id, mapped and filtered. Answers what was done.
    async fn log_in(&self, core: &CampusCore) -> Result<String, Finding> {
        let login = match log_in(core, &self.api, &self.tokens).await {
            Ok(login) => login,
            Err(LoginError::Core(error)) => return Err(Finding::of(error, core)),
            Err(LoginError::Other(error)) => {
                let advice = "try again in a minute".to_owned();
                return Err(Finding { detail: in_words(&error), advice });
            }
        };
        let rows = Listed::default();
        let page = self.api.page(&core.endpoint, &login.token, 0, LISTED, rows).await;
        let page = page.map_err(|error| Finding::of(error, core))?;
        let church = core.config.core_church_id.as_str();
        let ours = page
            .rows
            .rows
            .iter()
            .filter(|row| row.church_id() == Some(church) && !row.is_deleted());
        let ids: Vec<String> = ours.filter_map(CoreMember::id).map(ToOwned::to_owned).collect();
        let words = login.in_words(core);
        match try_by_id(&ids, &self.api, core, &login.token).await {
            Trial::Fetched { outcome, .. } => {
                Ok(format!("{words}; a member was fetched by id, mapped and filtered ({outcome})"))
            }
            Trial::NoMember => Ok(format!("{words}; the list has no member to fetch by id")),
            Trial::Failed { problem, advice } => Err(Finding { detail: problem, advice }),
        }
    }
}
