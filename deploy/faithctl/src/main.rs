//! The operator's command line: campuses and their secrets, what became of deliveries, and what is
//! wrong with an installation. Data on stdout, everything else on stderr.

mod campus;
mod cli;
mod confirm;
mod dead_letters;
mod deliveries;
mod doctor;
mod environment;
mod erase;
mod failure;
mod input;
mod migrate;
mod moment;
mod output;
mod probe;
mod rekey;
mod roles;
mod runs;
mod send_test;
mod status;
mod web;

fn main() -> std::process::ExitCode {
    cli::execute()
}
