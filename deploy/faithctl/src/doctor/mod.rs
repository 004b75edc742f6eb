use crate::environment::Environment;
use clap::Args;
/// X
#[derive(Debug, Args)]
pub(crate) struct Arguments {}
pub(crate) async fn run(_: Arguments, _: &Environment) -> anyhow::Result<()> {
    Ok(())
}
