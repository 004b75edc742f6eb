//! `faithctl campus test-connection`

use std::{collections::HashSet, time::Duration};

use clap::Args;
use core_api::{ClientSettings, CoreClient, CoreError, Page, Paging, Token};
use database::Pool;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use member::CoreMember;
use store::PostgresTokens;

use super::{
    CampusCore, CampusId,
    login::{self, LoginError},
};
use crate::{environment::Environment, output};

/// Rows a page has at first: fewer where they are heavy with photos.
const PAGE: u32 = 500;

/// Logs in to a campus's core and counts its members; says in words what failed.
#[derive(Debug, Args)]
#[command(after_help = "Uses one of the five logins a minute that the core allows.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    campus: CampusId,
}

/// What the list has.
#[derive(Debug, Default)]
struct Count {
    ids: HashSet<String>,
    inactive: u64,
    /// Rows of other churches: a super admin's token sees every church.
    others: u64,
    /// What the core itself says.
    total: Option<u64>,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let sealer = environment.sealer()?;
    let allowed = environment.allowed_hosts()?;
    let database = environment.database()?;
    let client = database.connect().await?.client;
    let core = CampusCore::load(&client, &sealer, &allowed, arguments.campus.id).await?;
    let api = core_client(environment)?;
    let tokens = PostgresTokens::new(Pool::new(&database)?, sealer);

    let token = match login::log_in(&core, &api, &tokens).await {
        Ok(token) => token,
        Err(LoginError::Core(error)) => return Err(login::explained(error, &core)),
        Err(LoginError::Other(error)) => return Err(error),
    };
    output::line(&format!(
        "logged in to {} as {}",
        core.endpoint.host_and_port(),
        core.config.api_email
    ))?;
    let count = count(&api, &core, &token).await.map_err(|error| login::explained(error, &core))?;
    report(&count, &core)
}

/// A client with patience for lists: a page can hold hundreds of photos.
pub(super) fn core_client(environment: &Environment) -> anyhow::Result<CoreClient> {
    Ok(CoreClient::new(ClientSettings {
        allowed: environment.allowed_hosts()?,
        request_timeout: Duration::from_mins(1),
        ..ClientSettings::default()
    })?)
}

async fn count(api: &CoreClient, core: &CampusCore, token: &Token) -> Result<Count, CoreError> {
    let progress = progress();
    let (mut count, mut skip, mut limit) = (Count::default(), 0, PAGE);
    loop {
        let page = match api.page(&core.endpoint, token, skip, limit, Vec::new()).await {
            Err(CoreError::TooLarge { .. }) if limit > 1 => {
                limit /= 2;
                continue;
            }
            page => page?,
        };
        skip += page.came;
        let last = page.is_last();
        count.add(page, &core.config.core_church_id);
        progress.set_position(skip);
        if last {
            progress.finish_and_clear();
            return Ok(count);
        }
    }
}

/// On a terminal only; counting may take minutes.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} members, {per_sec}");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Count {
    fn add(&mut self, page: Page<Vec<CoreMember>>, church: &str) {
        if let Paging::Counted { total, .. } = page.paging {
            self.total = total.or(self.total);
        }
        for member in page.rows {
            if member.church_id().is_some_and(|other| other != church) {
                self.others += 1;
            } else if let Some(id) = member.id()
                // Pages overlap: who was seen is not counted again.
                && self.ids.insert(id.to_owned())
                && member.is_inactive()
            {
                self.inactive += 1;
            }
        }
    }
}

fn report(count: &Count, core: &CampusCore) -> anyhow::Result<()> {
    let members = count.ids.len();
    let church = &core.config.core_church_id;
    if members == 0 && count.others > 0 {
        anyhow::bail!(
            "the core has {} members, none of them of church {church}: is core_church_id right?",
            count.others
        );
    }
    output::line(&format!(
        "{members} members of church {church}, {} of them inactive",
        count.inactive
    ))?;
    if count.others > 0 {
        output::line(&format!(
            "{} members of other churches are left alone: this account sees more than one church",
            count.others
        ))?;
    }
    if let Some(total) = count.total {
        output::line(&format!("the core itself counts {total}"))?;
    }
    Ok(())
}
