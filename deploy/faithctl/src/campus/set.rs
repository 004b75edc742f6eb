//! `faithctl campus set`

use campus::{Purpose, Sealed};
use chrono::NaiveTime;
use chrono_tz::Tz;
use clap::Args;
use core_api::{AllowedHosts, EndpointParts};
use database::{Error, Transaction};
use member::Country;
use store::records::CampusRecord;
use uuid::Uuid;

use super::{
    CampusId, core,
    settings_change::change_settings,
    values::{self, Every, RateLimit},
};
use crate::{
    environment::Environment,
    failure::{UsageError, say},
    input,
    output::{self, Format},
};

/// Changes how a campus is synced.
#[derive(Debug, Args)]
#[command(after_help = "In force in gateways and workers within a second.\n\n\
    Examples:\n  \
    faithctl campus set 0195f2d0-7c5e-7d0a-9d3f-0b6f2f6a1c11 --rate-limit 50/s --timezone Asia/Jakarta\n  \
    faithctl campus set 0195f2d0-7c5e-7d0a-9d3f-0b6f2f6a1c11 --api-password-stdin < password")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) campus: CampusId,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    output: Format,
}

/// What is to be another from now on.
#[derive(Debug, Default, PartialEq, Args)]
struct Changes {
    /// Name of the campus
    #[arg(long, value_name = "NAME", value_parser = values::text)]
    name: Option<String>,
    /// IANA time zone: birthdays begin at its midnight, reconciliation keeps its clock
    #[arg(long, value_name = "TZ", value_parser = values::time_zone)]
    timezone: Option<Tz>,
    /// The core's id of the church, which its webhooks carry as church_id
    #[arg(long, value_name = "ID", value_parser = values::church_id)]
    core_church_id: Option<String>,
    /// Address of the core API; https, unless CORE_URLS_ALLOW names its host
    #[arg(long, value_name = "URL", value_parser = values::text)]
    api_base_url: Option<String>,
    /// Before every path of the core API
    #[arg(long, value_name = "PATH", value_parser = values::path)]
    api_path_prefix: Option<String>,
    /// Path of the core's login
    #[arg(long, value_name = "PATH", value_parser = values::path)]
    api_login_path: Option<String>,
    /// Path of the core's member list
    #[arg(long, value_name = "PATH", value_parser = values::path)]
    api_members_path: Option<String>,
    /// Account to log in to the core with
    #[arg(long, value_name = "EMAIL", value_parser = values::text)]
    api_email: Option<String>,
    /// Read the account's password from stdin
    #[arg(long)]
    api_password_stdin: bool,
    /// Webhooks a second that are accepted; what is more gets 429
    #[arg(long, value_name = "N/s|off", value_parser = values::rate_limit)]
    rate_limit: Option<RateLimit>,
    /// Whether the campus is reconciled every day
    #[arg(long, value_name = "on|off", value_parser = values::switch)]
    reconciliation: Option<bool>,
    /// When it is reconciled, by the campus's clock
    #[arg(long, value_name = "HH:MM", value_parser = values::time_of_day)]
    reconciliation_time: Option<NaiveTime>,
    /// How often it is reconciled beside that, 5m to 24h
    #[arg(long, value_name = "1h|off", value_parser = values::every)]
    reconcile_every: Option<Every>,
    /// Percentage of the members that reconciliation may archive, or bring back, within a day; 0: nobody
    #[arg(long, value_name = "PCT", value_parser = values::percent)]
    archive_limit: Option<i32>,
    /// Whether a member that was never seen takes over the row of the same person here, by phone and name
    #[arg(long, value_name = "on|off", value_parser = values::switch)]
    link_members: Option<bool>,
    /// Country of phone numbers that are written without one
    #[arg(long, value_name = "CC", value_parser = values::country)]
    default_country: Option<Country>,
}

impl Changes {
    /// The options that were given, by their names.
    fn names(&self) -> Vec<&'static str> {
        let given = [
            ("name", self.name.is_some()),
            ("timezone", self.timezone.is_some()),
            ("core-church-id", self.core_church_id.is_some()),
            ("api-base-url", self.api_base_url.is_some()),
            ("api-path-prefix", self.api_path_prefix.is_some()),
            ("api-login-path", self.api_login_path.is_some()),
            ("api-members-path", self.api_members_path.is_some()),
            ("api-email", self.api_email.is_some()),
            ("api-password", self.api_password_stdin),
            ("rate-limit", self.rate_limit.is_some()),
            ("reconciliation", self.reconciliation.is_some()),
            ("reconciliation-time", self.reconciliation_time.is_some()),
            ("reconcile-every", self.reconcile_every.is_some()),
            ("archive-limit", self.archive_limit.is_some()),
            ("link-members", self.link_members.is_some()),
            ("default-country", self.default_country.is_some()),
        ];
        given.into_iter().filter_map(|(name, is_given)| is_given.then_some(name)).collect()
    }

    /// Whether another core, or another account there, is talked to from now on: its token is
    /// another one.
    fn concern_login(&self) -> bool {
        self.api_base_url.is_some()
            || self.api_path_prefix.is_some()
            || self.api_login_path.is_some()
            || self.api_email.is_some()
            || self.api_password_stdin
            // A super admin logs in for one church.
            || self.core_church_id.is_some()
    }

    /// The core's address as it will be must be one that the sync talks to.
    fn check(&self, campus: &CampusRecord, allowed: &AllowedHosts) -> anyhow::Result<()> {
        let either = |new: &'_ Option<String>, old: &'_ String| new.as_ref().unwrap_or(old).clone();
        core::endpoint(
            EndpointParts {
                base_url: &either(&self.api_base_url, &campus.api_base_url),
                path_prefix: &either(&self.api_path_prefix, &campus.api_path_prefix),
                login_path: &either(&self.api_login_path, &campus.api_login_path),
                members_path: &either(&self.api_members_path, &campus.api_members_path),
            },
            allowed,
        )?;
        Ok(())
    }
}

pub(super) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    let Arguments { campus: CampusId { id, .. }, changes, output: format } = arguments;
    if changes == Changes::default() {
        return Err(UsageError::new(
            "nothing to change: `faithctl campus set --help` lists what can be",
        )
        .into());
    }
    let allowed = environment.allowed_hosts()?;
    let database = environment.database()?;
    let password = if changes.api_password_stdin {
        let sealer = environment.sealer()?;
        let password = input::secret_from_stdin("core password").await?;
        Some(sealer.seal(id, Purpose::CorePassword, &password)?)
    } else {
        None
    };
    let mut client = database.connect().await?.client;
    let before = super::load_campus(&client, id).await?;
    let touches_address = changes.concern_login() || changes.api_members_path.is_some();
    if touches_address {
        changes.check(&before, &allowed)?;
    }
    if let Err(error) = save(&mut client, id, &changes, password.as_ref(), environment).await {
        let church = changes.core_church_id.as_deref().unwrap_or_default();
        return Err(core::refused(&client, error, church).await);
    }
    if format.is_json() {
        output::object(&super::load_campus(&client, id).await?)?;
    }
    say(&format!(
        "campus {id} ({}) saved: {}",
        changes.name.as_ref().unwrap_or(&before.name),
        changes.names().join(", ")
    ));
    if touches_address {
        say(&format!(
            "`faithctl campus test-connection {id}` tries the core's address and account"
        ));
    }
    Ok(())
}

async fn save(
    client: &mut database::Client,
    id: Uuid,
    changes: &Changes,
    password: Option<&Sealed>,
    environment: &Environment,
) -> Result<(), Error> {
    let secrets: &[&str] = if password.is_some() { &["api_password"] } else { &[] };
    let save = async |transaction: &Transaction<'_>| {
        transaction
            .execute(
                "UPDATE campuses SET name = coalesce($2, name), timezone = coalesce($3, timezone)
                 WHERE id = $1 AND ($2::text IS NOT NULL OR $3::text IS NOT NULL)",
                &[&id, &changes.name, &changes.timezone.map(Tz::name)],
            )
            .await?;
        save_config(transaction, id, changes, password).await?;
        if changes.concern_login() {
            transaction.execute(FORGET_TOKEN, &[&id]).await?;
        }
        Ok(())
    };
    change_settings(client, id, secrets, environment, save).await.map(|_saved| ())
}

/// The version moves, so that a program that holds the old token in memory sees it is not current.
const FORGET_TOKEN: &str = "
    UPDATE core_tokens SET token_sealed = NULL, version = version + 1, obtained_at = NULL,
        expires_at = NULL, lease_until = NULL, not_before = NULL, pause_cause = NULL
    WHERE campus_id = $1";

async fn save_config(
    transaction: &Transaction<'_>,
    id: Uuid,
    changes: &Changes,
    password: Option<&Sealed>,
) -> Result<u64, Error> {
    Ok(transaction
        .execute(
            "UPDATE sync_configs SET
                 core_church_id = coalesce($2, core_church_id),
                 api_base_url = coalesce($3, api_base_url),
                 api_path_prefix = coalesce($4, api_path_prefix),
                 api_login_path = coalesce($5, api_login_path),
                 api_members_path = coalesce($6, api_members_path),
                 api_email = coalesce($7, api_email),
                 api_password_sealed = coalesce($8, api_password_sealed),
                 rate_limit = CASE WHEN $9 THEN $10 ELSE rate_limit END,
                 reconciliation_enabled = coalesce($11, reconciliation_enabled),
                 reconciliation_time = coalesce($12, reconciliation_time),
                 archive_limit = coalesce($13, archive_limit),
                 default_country = coalesce($14, default_country),
                 reconcile_every = CASE WHEN $15 THEN make_interval(secs => $16) ELSE reconcile_every END,
                 link_members = coalesce($17, link_members)
             WHERE campus_id = $1",
            &[
                &id,
                &changes.core_church_id,
                &changes.api_base_url,
                &changes.api_path_prefix,
                &changes.api_login_path,
                &changes.api_members_path,
                &changes.api_email,
                &password,
                &changes.rate_limit.is_some(),
                &changes.rate_limit.and_then(RateLimit::column),
                &changes.reconciliation,
                &changes.reconciliation_time,
                &changes.archive_limit,
                &changes.default_country.map(|country| country.to_string()),
                &changes.reconcile_every.is_some(),
                &changes.reconcile_every.and_then(|Every(every)| every.map(|every| every.as_secs_f64())),
                &changes.link_members,
            ],
        )
        .await?)
}
