//! `faithctl completions` and `faithctl man`: what is known of the commands, for shells and for `man`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::{failure::say, output};

/// Prints a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    faithctl completions bash > /etc/bash_completion.d/faithctl")]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Writes a man page for each command into a folder.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  faithctl man /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// The folder, which is made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) fn completions(arguments: &Completions, mut command: Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "faithctl", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())
}

pub(crate) fn man(arguments: &Man, command: Command) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    let failed = || format!("cannot write man pages into {}", folder.display());
    std::fs::create_dir_all(folder).with_context(failed)?;
    clap_mangen::generate_to(command, folder).with_context(failed)?;
    say(&format!("man pages of faithctl and its commands are in {}", folder.display()));
    Ok(())
}
