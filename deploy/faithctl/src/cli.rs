//! The commands, and running the one that was asked for.

use std::{process::ExitCode, time::Duration};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use runtime::{Telemetry, exit_code};
use tokio_util::sync::CancellationToken;

use crate::{
    audit, campus,
    change::Change,
    console, dead_letters, deliveries, doctor,
    environment::Environment,
    erase,
    failure::{self, Interrupted},
    manual, members, migrate, notifications, operations, operator, probe, rekey, runs, send_test,
    status,
};

/// How long a command that ends in order may take for it: to say how the operation that it watched stands.
const ORDERLY_END: Duration = Duration::from_secs(20);

const ENVIRONMENT: &str = "\
Environment:
  DATABASE_URL     Postgres, as faith_admin (`migrate`: as the owner of the tables); every command but `probe`
  SECRETS_KEY      what secrets are sealed with; for commands that read or make one, and that ask a core
  AMQP_URL         RabbitMQ; for `status`, `doctor` and `deliveries discard`
  PUBLIC_URL       the gateway's address as senders see it; for `campus add` and `show` (the webhook URL), `send-test`
                   and `doctor` (where no --gateway is given)
  CONSOLE_URL      the console's address as browsers see it; for `operator add` and `console login`
  CORE_URLS_ALLOW  hosts that a core may have although they are private or not https, as the workers have it; for
                   every command that asks a core
  RETRY_DELAYS     as the workers have it; `doctor` checks that it can be read. `status` shows the delay queues of the
                   workers that run, whatever is set here
  NOTIFY_*         as the reconciler has them; for `notifications test`
  NO_COLOR         without colours, on terminals too
  The first three may be in a file: DATABASE_URL_FILE, SECRETS_KEY_FILE, AMQP_URL_FILE.
  .env.example lists every variable.

Exit codes:
  0 done, an empty list included; 1 failed, or nothing is there to act on or to show by its id;
  2 bad usage or a bad setting; 130 interrupted

Examples:
  faithctl migrate
  faithctl campus add --help
  faithctl deliveries list --status dead --since 1h
  faithctl dead-letters groups
  faithctl doctor";

/// Operates the FaithTracker member sync.
#[derive(Debug, Parser)]
#[command(name = "faithctl", version, after_help = ENVIRONMENT, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Migrate(migrate::Arguments),
    Campus(campus::Arguments),
    SendTest(send_test::Arguments),
    Deliveries(deliveries::Arguments),
    DeadLetters(dead_letters::Arguments),
    Operations(operations::Arguments),
    Members(members::Arguments),
    Runs(runs::Arguments),
    Audit(audit::Arguments),
    Status(status::Arguments),
    Doctor(doctor::Arguments),
    Notifications(notifications::Arguments),
    Operator(operator::Arguments),
    Console(console::Arguments),
    Probe(probe::Arguments),
    Rekey(rekey::Arguments),
    Erase(erase::Arguments),
    Completions(manual::Completions),
    Man(manual::Man),
}

/// Runs the command that the arguments ask for, and answers its exit code.
pub(crate) fn execute() -> ExitCode {
    let mut root = Cli::command();
    let arguments = root.get_matches_mut();
    let cli =
        Cli::from_arg_matches(&arguments).unwrap_or_else(|error| error.format(&mut root).exit());
    let change = Change::asked(&root, &arguments);
    // Outside of the runtime, as the exporter's own thread demands.
    let started = Environment::of_this_process(change).and_then(|environment| {
        let telemetry = Telemetry::start("faithctl", environment.settings())?;
        Ok((environment, telemetry))
    });
    let (environment, telemetry) = match started {
        Ok(started) => started,
        Err(error) => return failure::report(&error.into()),
    };
    runtime::install_crypto_provider();
    let code = execute_command(cli.command, &environment);
    drop(telemetry);
    code
}

/// Runs a command to its end, or to the signal that interrupts it.
fn execute_command(command: Command, environment: &Environment) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&error.into()),
    };
    let code = runtime.block_on(async {
        let interrupted = runtime::shutdown_signal();
        let time_to_end = command.time_to_end();
        let cut_short = async {
            interrupted.cancelled().await;
            tokio::time::sleep(time_to_end).await;
        };
        let (result, is_cut_short) = tokio::select! {
            result = run(command, environment, &interrupted) => (result, false),
            // What the command had begun in Postgres is rolled back with its session.
            () = cut_short => (Err(Interrupted.into()), true),
        };
        environment.change().end(&result, environment.database()).await;
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) if is_cut_short => ExitCode::from(exit_code::INTERRUPTED),
            Err(error) => failure::report(&error),
        }
    });
    // A read of stdin that was interrupted would be waited for.
    runtime.shutdown_background();
    code
}

impl Command {
    /// How long after a signal the command may go on, to end in order.
    fn time_to_end(&self) -> Duration {
        match self {
            Self::DeadLetters(arguments) if arguments.ends_in_order() => ORDERLY_END,
            Self::Members(_) => ORDERLY_END,
            Self::Runs(arguments) if arguments.ends_in_order() => ORDERLY_END,
            _ => Duration::ZERO,
        }
    }
}

async fn run(
    command: Command,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    match command {
        Command::Migrate(arguments) => migrate::run(&arguments, environment).await,
        Command::Campus(arguments) => campus::run(arguments, environment, interrupted).await,
        Command::SendTest(arguments) => send_test::run(arguments, environment).await,
        Command::Deliveries(arguments) => {
            deliveries::run(arguments, environment, interrupted).await
        }
        Command::DeadLetters(arguments) => {
            dead_letters::run(arguments, environment, interrupted).await
        }
        Command::Operations(arguments) => operations::run(arguments, environment).await,
        Command::Members(arguments) => members::run(arguments, environment, interrupted).await,
        Command::Runs(arguments) => runs::run(arguments, environment, interrupted).await,
        Command::Audit(arguments) => audit::run(arguments, environment).await,
        Command::Status(arguments) => status::run(&arguments, environment).await,
        Command::Doctor(arguments) => doctor::run(arguments, environment).await,
        Command::Notifications(arguments) => notifications::run(arguments, environment).await,
        Command::Operator(arguments) => operator::run(arguments, environment).await,
        Command::Console(arguments) => console::run(arguments, environment).await,
        Command::Probe(arguments) => probe::run(arguments).await,
        Command::Rekey(arguments) => rekey::run(&arguments, environment).await,
        Command::Erase(arguments) => erase::run(arguments, environment, interrupted).await,
        Command::Completions(arguments) => manual::completions(&arguments, Cli::command()),
        Command::Man(arguments) => manual::man(&arguments, Cli::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_every_command_does_is_known() {
        fn leaves(command: &clap::Command, called: &str, found: &mut Vec<String>) {
            let called = format!("{called} {}", command.get_name());
            if !command.has_subcommands() {
                found.push(called.trim().to_owned());
            }
            command.get_subcommands().for_each(|below| leaves(below, &called, found));
        }
        let mut found = Vec::new();
        Cli::command().get_subcommands().for_each(|command| leaves(command, "", &mut found));
        found.sort_unstable();
        assert_eq!(found, crate::commands::names());
    }

    #[test]
    fn what_prints_json_prints_every_form() {
        fn check(command: &clap::Command) {
            let has = |name: &str| {
                command.get_arguments().any(|argument| argument.get_long() == Some(name))
            };
            // An export has one form alone.
            if command.get_name() != "export" {
                assert_eq!(has("json"), has("output"), "{}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn every_command_and_argument_says_what_it_is_for() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                let name = format!("{} {}", command.get_name(), argument.get_id());
                assert!(argument.get_help().is_some(), "{name} has no help");
            }
            command.get_subcommands().for_each(check);
        }
        let mut command = Cli::command();
        command.build();
        check(&command);
    }
}
