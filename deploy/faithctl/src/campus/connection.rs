//! `faithctl campus test-connection`

use std::collections::HashSet;

use clap::Args;
use core_api::{
    ClientSettings, CoreClient, CoreError, Course, Gathered, Keys, NoEnd, PageSize, Rows, Silence,
    Token, Window, gather,
};
use database::Pool;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use member::CoreMember;
use store::PostgresTokens;

use super::{
    CampusCore, CampusId,
    login::{self, LoginError},
};
use crate::{environment::Environment, output};

/// Members that are asked for by id until one answers.
const SINGLES: usize = 3;
/// Rows that cannot be used and are named.
const NAMED: usize = 10;

/// Logs in to a campus's core, counts its members and asks for one by id; says in words what failed.
///
/// A row that the core cannot give is named, and the others are counted.
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
    /// Some of them, in the list's order.
    first: Vec<String>,
    inactive: u64,
    /// Rows of other churches: a super admin's token sees every church.
    others: u64,
    /// What the core itself says.
    total: Option<u64>,
    /// Rows that it cannot give, by how many are before each.
    unreadable: Vec<u64>,
    without_id: u64,
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
    let count = match count(&api, &core, &token).await {
        Ok(count) => count,
        Err(Uncounted::Core(error)) => return Err(login::explained(error, &core)),
        Err(Uncounted::NoEnd(error)) => anyhow::bail!(
            "{error}\n    → the trouble is the core's, or of a proxy before it: as long as its list is like \
             this, no reconciliation can be done"
        ),
    };
    report(&count, &core)?;
    ask_for_one(&count, &api, &core, &token).await
}

/// The client that reads lists and asks for members.
pub(super) fn core_client(environment: &Environment) -> anyhow::Result<CoreClient> {
    Ok(CoreClient::new(ClientSettings {
        allowed: environment.allowed_hosts()?,
        ..ClientSettings::default()
    })?)
}

/// Why the members cannot be counted.
enum Uncounted {
    Core(CoreError),
    NoEnd(NoEnd),
}

async fn count(api: &CoreClient, core: &CampusCore, token: &Token) -> Result<Count, Uncounted> {
    let (progress, silence) = (progress(), Silence::default());
    let (mut count, mut course) = (Count::default(), Course::default());
    let (mut size, mut skip) = (PageSize::new(None), 0);
    loop {
        let window = Window { skip, rows: size.rows() };
        let ask =
            |part: Window| api.page(&core.endpoint, token, part.skip, part.rows, Few::default());
        let gathered = gather(window, &silence, ask).await.map_err(Uncounted::Core)?;
        size.learn(&gathered);
        skip = gathered.end(window);
        let is_last = gathered.is_last;
        let keys = count.add(gathered, &core.config.core_church_id);
        progress.set_position(skip);
        course.follow(&keys, count.total.unwrap_or_default()).map_err(Uncounted::NoEnd)?;
        if is_last {
            progress.finish_and_clear();
            return Ok(count);
        }
    }
}

/// Rows with what is counted of them.
struct Few {
    keys: Keys,
    rows: Vec<CoreMember>,
}

impl Default for Few {
    fn default() -> Self {
        let keys = Keys::only(["id", "church_id", "is_active", "is_deleted"]);
        Self { keys, rows: Vec::new() }
    }
}

impl Rows for Few {
    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn take(&mut self, row: &CoreMember) {
        self.rows.push(row.clone());
    }
}

/// On a terminal only; counting may take minutes.
pub(super) fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} members, {per_sec}");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Count {
    /// Answers by what the rows are known again.
    fn add(&mut self, gathered: Gathered<Few>, church: &str) -> Vec<u64> {
        self.total = gathered.total.or(self.total);
        self.unreadable.extend(gathered.unreadable);
        let mut keys = Vec::new();
        for member in gathered.parts.into_iter().flat_map(|part| part.page.rows.rows) {
            keys.push(Course::key(member.id().unwrap_or_default()));
            let Some(id) = member.id() else {
                self.without_id += 1;
                continue;
            };
            if member.church_id().is_some_and(|other| other != church) {
                self.others += 1;
            // Pages overlap: who was seen is not counted again.
            } else if self.ids.insert(id.to_owned()) {
                self.inactive += u64::from(member.is_inactive());
                if self.first.len() < SINGLES && !member.is_deleted() {
                    self.first.push(id.to_owned());
                }
            }
        }
        keys
    }
}

/// Asks for a member of the list by id, as every event does, and looks at its church.
async fn ask_for_one(
    count: &Count,
    api: &CoreClient,
    core: &CampusCore,
    token: &Token,
) -> anyhow::Result<()> {
    let church = &core.config.core_church_id;
    let mut failure = None;
    for id in &count.first {
        match api.member(&core.endpoint, token, id).await {
            Ok(member) => match member.church_id() {
                Some(other) if other == church => {
                    return output::line(&format!("member {id} answers by id, of church {church}"));
                }
                Some(other) => anyhow::bail!(
                    "the list shows member {id} as of church {church}, and by id it is of church {other}: \
                     nothing of it would be written"
                ),
                None => anyhow::bail!(
                    "member {id}, asked for by id, names no church: nothing of it would be written"
                ),
            },
            Err(error) => {
                output::line(&format!("member {id} does not answer by id"))?;
                failure = Some(error);
            }
        }
    }
    match failure {
        Some(CoreError::NotFound { .. } | CoreError::Gone { .. }) => anyhow::bail!(
            "the list shows these members, and by id the core says that there are none: no event could be \
             worked on\n    → does another program answer below {}/members/?",
            core.config.api_path_prefix
        ),
        Some(error) => Err(login::explained(error, core)),
        None => Ok(()),
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
    if !count.unreadable.is_empty() {
        let named = count.unreadable.iter().take(NAMED).map(|row| (row + 1).to_string());
        output::line(&format!(
            "{} rows of the list cannot be given by the core, and stay undecided: row {}{}; its own log tells why",
            count.unreadable.len(),
            named.collect::<Vec<_>>().join(", "),
            if count.unreadable.len() > NAMED { ", …" } else { "" },
        ))?;
    }
    if count.without_id > 0 {
        output::line(&format!("{} rows have no usable id, and stay undecided", count.without_id))?;
    }
    Ok(())
}
