//! `faithctl campus discover-fields`

use clap::Args;
use core_api::SessionError;
use serde_json::Value;

use super::{
    CampusCore, CampusId, login,
    survey::{self, Field, Survey, VALUES, words},
};
use crate::{
    environment::Environment,
    output::{self, Column, Format},
};

/// Lists the fields of the core's members with type and values, for writing filters.
///
/// Looks at up to 100 members of the list and at ten of them by id.
#[derive(Debug, Args)]
#[command(
    after_help = "Shows up to 20 values of a field, with how many of these members have each.\n\
    The values are data of real members: mind who sees them."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) campus: CampusId,
    #[command(flatten)]
    output: Format,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let sealer = environment.sealer()?;
    let allowed = environment.allowed_hosts()?;
    let client = environment.client().await?;
    let core = CampusCore::load(&client, &sealer, &allowed, arguments.campus.id).await?;
    let session = survey::session(&core, sealer, environment)?;
    let survey = Survey::of(&core, &session).await.map_err(|error| match error {
        SessionError::Core(error) => login::explained(error, &core),
        other @ (SessionError::Store(_) | SessionError::Outdated) => other.into(),
    })?;
    if survey.members == 0 {
        anyhow::bail!("the core's list has no member of this church to look at");
    }
    print(&survey.into_fields(), arguments.output)
}

fn print(fields: &[Field], format: Format) -> anyhow::Result<()> {
    let columns = [
        Column::new("field", |field: &Field| field.name.clone()),
        Column::new("type", |field| words(&field.kinds)),
        Column::new("in_list", |field| if field.in_list { "yes" } else { "no" }.to_owned()),
        Column::new("values", values),
    ];
    output::listing(fields, &columns, format)
}

/// All with their counts where they are few, else some.
fn values(field: &Field) -> String {
    if field.distinct > VALUES {
        let samples: Vec<String> = field.samples.iter().map(Value::to_string).collect();
        return format!("{}, … ({} values)", samples.join(", "), field.distinct);
    }
    let values: Vec<String> = field
        .values
        .iter()
        .map(|counted| format!("{} ({})", counted.value, counted.count))
        .collect();
    values.join(", ")
}
