//! `faithctl campus add`

use std::path::PathBuf;

use anyhow::Context;
use campus::{Purpose, Sealer, Secret, WebhookSecret};
use chrono_tz::Tz;
use clap::Args;
use core_api::{Credentials, Endpoint, EndpointParts};
use database::{Client, Error};
use member::Country;
use serde_json::json;
use store::{audit::changed_settings, records::CampusRecord};
use url::Url;
use uuid::Uuid;

use super::{connection::core_client, core, linkable, secret, values, webhook, webhook_url};
use crate::{
    change::Change,
    environment::Environment,
    failure::{UsageError, say},
    input,
    output::{self, Format, Sheet},
};

/// Sets up a campus to be synced.
///
/// Prints what FaithFlow's webhook settings ask for: the webhook URL and the webhook secret. The
/// secret is not shown again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl campus add --name 'GKBJ Kebon Jeruk' --timezone Asia/Jakarta \\\n      \
    --api-base-url https://core.example.org \\\n      \
    --api-email sync@example.org --api-password-stdin < password\n\n  \
    A campus that FaithTracker has already gets a sync configuration with --id; its name and time\n  \
    zone stay as they are.")]
pub(crate) struct Arguments {
    /// Name of the campus
    #[arg(long, value_name = "NAME", value_parser = values::text)]
    name: String,
    /// The core's id of the church, which its webhooks carry as church_id [default: the account's own church,
    /// asked of the core by logging in]
    #[arg(long, value_name = "ID", value_parser = values::church_id)]
    core_church_id: Option<String>,
    /// Address of the core API; https, unless CORE_URLS_ALLOW names its host
    #[arg(long, value_name = "URL", value_parser = values::text)]
    api_base_url: String,
    /// Account to log in to the core with
    #[arg(long, value_name = "EMAIL", value_parser = values::text)]
    api_email: String,
    /// Read the account's password from stdin
    #[arg(long, required = true)]
    api_password_stdin: bool,
    /// Before every path of the core API
    #[arg(long, value_name = "PATH", default_value = "/api", value_parser = values::path)]
    api_path_prefix: String,
    /// Path of the core's login
    #[arg(long, value_name = "PATH", default_value = "/auth/login", value_parser = values::path)]
    api_login_path: String,
    /// Path of the core's member list
    #[arg(long, value_name = "PATH", default_value = "/members/", value_parser = values::path)]
    api_members_path: String,
    /// IANA time zone of the campus: birthdays begin at its midnight [default: UTC]
    #[arg(long, value_name = "TZ", value_parser = values::time_zone)]
    timezone: Option<Tz>,
    /// Country of phone numbers that are written without one
    #[arg(long, value_name = "CC", default_value = "ID", value_parser = values::country)]
    default_country: Country,
    /// Id of the campus; without it, a new one is made
    #[arg(long, value_name = "UUID")]
    id: Option<Uuid>,
    /// Do not sync it yet: `campus enable` does
    #[arg(long)]
    disabled: bool,
    /// Take the webhook secret from a file instead of making one
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    output: Format,
}

/// What a campus begins with.
struct Secrets {
    webhook: Secret,
    password: Secret,
}

pub(super) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    let sealer = environment.sealer()?;
    let database = environment.database()?;
    let public_url = environment.public_url()?;
    let parts = EndpointParts {
        base_url: &arguments.api_base_url,
        path_prefix: &arguments.api_path_prefix,
        login_path: &arguments.api_login_path,
        members_path: &arguments.api_members_path,
    };
    let endpoint = core::endpoint(parts, &environment.allowed_hosts()?)?;
    let secrets = Secrets {
        webhook: match &arguments.secret_file {
            Some(file) => secret::given(input::secret_from_file("webhook secret", file)?),
            None => WebhookSecret::generate(),
        },
        password: input::secret_from_stdin("core password").await?,
    };
    let church = match &arguments.core_church_id {
        Some(church) => church.clone(),
        None => church_of(&endpoint, &arguments.api_email, &secrets.password, environment).await?,
    };
    let mut client = database.connect().await?.client;
    let id = arguments.id.unwrap_or_else(Uuid::now_v7);
    environment.change().of_campus(id);
    let kept =
        save(&mut client, &sealer, (id, &church), &arguments, &secrets, environment.change())
            .await?;
    print(id, &secrets.webhook, public_url.as_ref(), arguments.output)?;
    if let Some(name) = kept {
        say(&format!(
            "campus {id} was there already and kept its name ({name}) and time zone; it is synced now"
        ));
        linkable::tell(&client, environment, id).await;
    }
    say(&format!(
        "bring its members now: `reconciler --once --campus {id}`, or wait for the night"
    ));
    if arguments.disabled {
        say(&format!("it is disabled: `faithctl campus enable {id}` begins to sync it"));
    }
    Ok(())
}

/// The church that the account is of, by the core's own word.
async fn church_of(
    endpoint: &Endpoint,
    email: &str,
    password: &Secret,
    environment: &Environment,
) -> anyhow::Result<String> {
    let credentials = Credentials {
        email: email.to_owned(),
        password: password.expose().to_owned(),
        church: None,
    };
    let login = core_client(environment)?.login(endpoint, &credentials).await;
    let issued = login
        .context("cannot ask the core for the church of its account; --core-church-id names it")?;
    let church = issued.church.ok_or_else(|| {
        UsageError::new("the account is of no single church: name it with --core-church-id")
    })?;
    let church = values::church_id(&church)
        .map_err(|why| anyhow::anyhow!("the core's own id of the church cannot be used: {why}"))?;
    say(&format!("the account's church has the core church id {church}"));
    Ok(church)
}

/// Saves the campus, answering the name of one that was there already.
async fn save(
    client: &mut Client,
    sealer: &Sealer,
    (id, church): (Uuid, &str),
    arguments: &Arguments,
    secrets: &Secrets,
    change: &Change,
) -> anyhow::Result<Option<String>> {
    let webhook = sealer.seal(id, Purpose::WebhookSecret, &secrets.webhook)?;
    let password = sealer.seal(id, Purpose::CorePassword, &secrets.password)?;
    match insert(client, (id, church), arguments, (&webhook, &password), change).await {
        Ok(Some(kept)) => Ok(kept),
        Ok(None) => {
            anyhow::bail!("campus {id} is synced already: `faithctl campus set {id}` changes how")
        }
        Err(error) => Err(core::refused(client, error, church).await),
    }
}

/// Inserts campus and configuration together. None where the campus has a configuration already.
async fn insert(
    client: &mut Client,
    (id, church): (Uuid, &str),
    arguments: &Arguments,
    (webhook, password): (&[u8], &[u8]),
    change: &Change,
) -> Result<Option<Option<String>>, Error> {
    let transaction = client.transaction().await?;
    let time_zone = arguments.timezone.unwrap_or(Tz::UTC).name();
    let added = transaction
        .execute(
            "INSERT INTO campuses (id, name, timezone) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
            &[&id, &arguments.name, &time_zone],
        )
        .await?;
    let configured = transaction
        .execute(
            "INSERT INTO sync_configs (campus_id, core_church_id, api_base_url, api_path_prefix,
                 api_login_path, api_members_path, api_email, api_password_sealed,
                 webhook_secret_sealed, is_enabled, default_country)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (campus_id) DO NOTHING",
            &[
                &id,
                &church,
                &arguments.api_base_url,
                &arguments.api_path_prefix,
                &arguments.api_login_path,
                &arguments.api_members_path,
                &arguments.api_email,
                &password,
                &webhook,
                &!arguments.disabled,
                &arguments.default_country.to_string(),
            ],
        )
        .await?;
    if configured == 0 {
        return Ok(None);
    }
    let kept = if added == 0 {
        let row = transaction.query_one("SELECT name FROM campuses WHERE id = $1", &[&id]).await?;
        Some(row.get(0))
    } else {
        None
    };
    let after = CampusRecord::lock(&transaction, id).await?;
    let subject = changed_settings(None, after.as_ref(), &[]);
    change.commit(transaction, Some(id), &subject).await?;
    Ok(Some(kept))
}

fn print(id: Uuid, secret: &Secret, public: Option<&Url>, format: Format) -> anyhow::Result<()> {
    if format.is_json() {
        return output::object(&json!({
            "campus_id": id,
            "webhook_path": webhook::PATH,
            "webhook_secret": secret.expose(),
        }));
    }
    let address =
        public.map_or_else(|| webhook::PATH.to_owned(), |url| webhook_url(url).to_string());
    Sheet::default()
        .with("campus id", id)
        .with("webhook URL", address)
        .with("webhook secret", secret.expose())
        .print()?;
    say("\nEnter URL and secret in FaithFlow's webhook settings. The secret is not shown again.");
    Ok(())
}
