//! `faithctl campus test-connection`

use std::collections::HashSet;

use clap::Args;
use core_api::{
    ClientSettings, CoreClient, CoreError, Course, Gathered, NoEnd, PageSize, Silence, Token,
    Window, gather,
};
use database::Pool;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use store::PostgresTokens;
use uuid::Uuid;

use super::{
    CampusCore, CampusId,
    by_id::{Listed, Trial, try_by_id},
    id::load_campus,
    login::{self, LoginError},
};
use crate::{
    environment::Environment,
    output::{self, Format},
};

/// Members of the list that may be asked for by id.
const SINGLES: usize = 3;
/// Rows that cannot be used and are named.
const NAMED: usize = 10;

/// Logs in to a campus's core, counts its members, and fetches, maps and filters one by id, as every event does.
///
/// Says what failed, and what to do about it; nothing is written. A token under a minute old is reused, and said to be:
/// the core refuses to replace it. A row that the core cannot give is named, and the others are counted.
#[derive(Debug, Args)]
#[command(
    after_help = "Uses one of the five logins a minute that the core allows. A login that fails pauses the logins of \
    all programs no longer than one of theirs would: a minute where the account was refused, 15 s where the core was away.\n\n\
    Example:\n  faithctl campus test-connection 'GKBJ Kebon Jeruk'"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) campus: CampusId,
    #[command(flatten)]
    output: Format,
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
    let name = load_campus(&client, arguments.campus.id).await?.name;
    let api = core_client(environment)?;
    let tokens = PostgresTokens::new(Pool::new(&database)?, sealer);

    let login = match login::log_in(&core, &api, &tokens).await {
        Ok(login) => login,
        Err(LoginError::Core(error)) => return Err(login::explained(error, &core)),
        Err(LoginError::Other(error)) => return Err(error),
    };
    let tell = |text: &str| if arguments.output.is_json() { Ok(()) } else { output::line(text) };
    tell(&login.in_words(&core))?;
    let count = match count(&api, &core, &login.token).await {
        Ok(count) => count,
        Err(Uncounted::Core(error)) => return Err(login::explained(error, &core)),
        Err(Uncounted::NoEnd(error)) => anyhow::bail!(
            "{error}\n    → the core, or a proxy before it, gives a list without end: as long as it does, no \
             reconciliation can be done"
        ),
    };
    if count.ids.is_empty() && count.others > 0 {
        anyhow::bail!(
            "the core has {} members, none of them of church {}: is core_church_id right?",
            count.others,
            core.config.core_church_id
        );
    }
    tell(&report(&count, &core))?;
    let (fetched, outcome) = match try_by_id(&count.first, &api, &core, &login.token).await {
        Trial::Fetched { member, outcome } => {
            tell(&format!("member {member} was fetched by id, mapped and filtered: {outcome}"))?;
            (Some(member), Some(outcome))
        }
        Trial::NoMember => {
            tell("no member to fetch by id: whether the account may view members is not known")?;
            (None, None)
        }
        Trial::Failed { problem, advice } => anyhow::bail!("{problem}\n    → {advice}"),
    };
    if !arguments.output.is_json() {
        return Ok(());
    }
    output::object(&Tested {
        campus_id: core.config.id,
        campus_name: &name,
        host: core.endpoint.host_and_port(),
        account: &core.config.api_email,
        login: if login.reused.is_some() { "reused" } else { "new" },
        token_age_seconds: login.reused.map(|age| age.as_secs()),
        members: count.ids.len(),
        inactive: count.inactive,
        others: count.others,
        total: count.total,
        unreadable_rows: count.unreadable.iter().map(|row| row + 1).collect(),
        rows_without_id: count.without_id,
        fetched: fetched.as_deref(),
        outcome,
    })
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
            |part: Window| api.page(&core.endpoint, token, part.skip, part.rows, Listed::default());
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
    fn add(&mut self, gathered: Gathered<Listed>, church: &str) -> Vec<u64> {
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

/// How a trial went, for programs.
#[derive(Serialize)]
struct Tested<'a> {
    campus_id: Uuid,
    campus_name: &'a str,
    host: String,
    account: &'a str,
    /// `new`, or `reused`: then no login was tried.
    login: &'static str,
    token_age_seconds: Option<u64>,
    members: usize,
    inactive: u64,
    /// Members of other churches that the account sees.
    others: u64,
    /// What the core itself counts.
    total: Option<u64>,
    /// Rows of the list that the core cannot give, the first being 1.
    unreadable_rows: Vec<u64>,
    rows_without_id: u64,
    /// The member that was fetched by id, and what an event about it would do.
    fetched: Option<&'a str>,
    outcome: Option<&'a str>,
}

/// What was counted, a line each.
fn report(count: &Count, core: &CampusCore) -> String {
    let mut lines = vec![format!(
        "{} members of church {}, {} of them inactive",
        count.ids.len(),
        core.config.core_church_id,
        count.inactive
    )];
    if count.others > 0 {
        lines.push(format!(
            "{} members of other churches are ignored: this account sees more than one church",
            count.others
        ));
    }
    lines.extend(count.total.map(|total| format!("the core itself counts {total}")));
    if !count.unreadable.is_empty() {
        let named = count.unreadable.iter().take(NAMED).map(|row| (row + 1).to_string());
        lines.push(format!(
            "{} rows of the list cannot be given by the core, and stay undecided: row {}{}; its own log tells why",
            count.unreadable.len(),
            named.collect::<Vec<_>>().join(", "),
            if count.unreadable.len() > NAMED { ", …" } else { "" },
        ));
    }
    if count.without_id > 0 {
        lines.push(format!("{} rows have no usable id, and stay undecided", count.without_id));
    }
    lines.join("\n")
}
