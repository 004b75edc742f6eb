//! `faithctl operator …`: who may use the console.

use clap::{Args, Subcommand, builder::PossibleValuesParser};
use serde_json::{Value, json};
use store::{
    CampusReference, OperatorRole,
    operators::{Link, Operator, OperatorError},
};
use url::Url;

use crate::{
    campus::find_campus,
    environment::Environment,
    failure::{UsageError, say},
    listing, moment,
    output::{self, Column, Format},
};

/// Who may use the console.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(Add),
    List(List),
    Disable(Disable),
    Enable(Enable),
}

/// Adds an operator, and prints an invitation: a link with which they choose a password.
///
/// The invitation works once, within 24 hours.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl operator add ani@gkbj.example --role office --campus GKBJ\n  \
    faithctl operator add budi --role operator --name 'Budi Santoso'\n\n\
    Set CONSOLE_URL, and the link can be clicked.")]
struct Add {
    /// What they log in with: a name, or an address of mail
    login: String,
    /// What they may do
    #[arg(long, value_parser = roles())]
    role: String,
    /// Only of this campus, by its id or its name; may be repeated. An office has at least one, an admin none
    #[arg(long = "campus", value_name = "CAMPUS", num_args = 1..)]
    campuses: Vec<CampusReference>,
    /// What they are called; their login unless said
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    output: Format,
}

/// Lists the operators.
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    output: Format,
}

/// Ends all sessions of an operator, and lets them log in no more.
#[derive(Debug, Args)]
struct Disable {
    /// Their login
    login: String,
}

/// Lets an operator log in again.
///
/// To one who has no password a new invitation is printed.
#[derive(Debug, Args)]
struct Enable {
    /// Their login
    login: String,
}

fn roles() -> PossibleValuesParser {
    PossibleValuesParser::new(
        OperatorRole::ALL
            .map(|role| clap::builder::PossibleValue::new(role.as_str()).help(role.help())),
    )
}

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    match arguments.command {
        Command::Add(arguments) => add(&arguments, environment).await,
        Command::List(arguments) => list(&arguments, environment).await,
        Command::Disable(Disable { login }) => switch(&login, false, environment).await,
        Command::Enable(Enable { login }) => switch(&login, true, environment).await,
    }
}

async fn add(arguments: &Add, environment: &Environment) -> anyhow::Result<()> {
    let role = OperatorRole::parse(&arguments.role)
        .ok_or_else(|| UsageError::new("--role: expected viewer, office, operator or admin"))?;
    match (role, arguments.campuses.is_empty()) {
        (OperatorRole::Office, true) => {
            return Err(UsageError::new("an office is of a campus: say --campus").into());
        }
        (OperatorRole::Admin, false) => {
            return Err(UsageError::new("an admin is of all campuses: leave --campus out").into());
        }
        _ => {}
    }
    let console = environment.console_url()?;
    let mut client = environment.client().await?;
    let mut campuses = Vec::new();
    for campus in &arguments.campuses {
        campuses.push(find_campus(campus, &client).await?);
    }
    let campuses = (!campuses.is_empty()).then_some(campuses);
    let name = arguments.name.as_deref().unwrap_or(&arguments.login).trim();

    let change = environment.change();
    let transaction = client.transaction().await?;
    let added =
        Operator::add(&transaction, &arguments.login, name, role, campuses.as_deref()).await;
    let operator = match added {
        Ok(operator) => operator,
        Err(error @ (OperatorError::Login | OperatorError::UnknownCampus(_))) => {
            return Err(UsageError::new(error.to_string()).into());
        }
        Err(error) => return Err(error.into()),
    };
    let token = Link::make(&transaction, Some(operator.id), &change.actor().who).await?;
    let subject =
        json!({"login": operator.login, "role": operator.role, "campuses": operator.campuses});
    change.commit(transaction, None, &subject).await?;

    let link = link_of(&console, token.reveal());
    if arguments.output.is_json() {
        let mut shown = serde_json::to_value(&operator)?;
        if let Value::Object(fields) = &mut shown {
            fields.insert("invitation".to_owned(), link.into());
        }
        return output::object(&shown);
    }
    say(&format!(
        "operator {} is added; this link is shown once, and works once within 24 hours:",
        operator.login
    ));
    output::line(&link)
}

async fn list(arguments: &List, environment: &Environment) -> anyhow::Result<()> {
    let operators = Operator::all(&environment.client().await?).await?;
    let columns = [
        Column::new("login", |operator: &Operator| operator.login.clone()),
        Column::new("role", |operator| operator.role.clone()),
        Column::new("campuses", |operator| match &operator.campuses {
            None => "all".to_owned(),
            Some(campuses) => {
                campuses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
        }),
        Column::new("last_login_at", |operator| moment::show_optional(operator.last_login_at)),
        Column::new("state", |operator| {
            let state = match (operator.disabled_at, operator.has_password) {
                (Some(_), _) => "disabled",
                (None, false) => "invited",
                (None, true) => "enabled",
            };
            state.to_owned()
        }),
        Column::under("login", "name", |operator| operator.name.clone()),
    ];
    let nothing = "there is no operator yet: `faithctl operator add --help`";
    listing::write(nothing, &operators, &columns, arguments.output)
}

async fn switch(login: &str, is_enabled: bool, environment: &Environment) -> anyhow::Result<()> {
    let unknown = || anyhow::anyhow!("there is no operator {login:?}: `faithctl operator list`");
    let login = Operator::login_of(login).ok_or_else(unknown)?;
    let console = environment.console_url()?;
    let mut client = environment.client().await?;
    let change = environment.change();
    let transaction = client.transaction().await?;
    if !Operator::enable(&transaction, &login, is_enabled).await? {
        return Err(unknown());
    }
    let operator = Operator::find(&transaction, &login).await?.ok_or_else(unknown)?;
    let invitation = if is_enabled && !operator.has_password {
        Some(Link::make(&transaction, Some(operator.id), &change.actor().who).await?)
    } else {
        None
    };
    change.commit(transaction, None, &json!({"login": login})).await?;
    say(&format!("operator {login} is {}", if is_enabled { "enabled" } else { "disabled" }));
    match invitation {
        Some(token) => {
            say(
                "they have no password yet; this link is shown once, and works once within 24 hours:",
            );
            output::line(&link_of(&console, token.reveal()))
        }
        None => Ok(()),
    }
}

/// Where a link leads.
pub(crate) fn link_of(console: &Url, token: &str) -> String {
    format!("{}/link/{token}", console.as_str().trim_end_matches('/'))
}
