#![doc = include_str!("../README.md")]

mod audit;
mod campus;
mod change;
mod cli;
mod commands;
mod confirm;
mod console;
mod dead_letters;
mod deliveries;
mod doctor;
mod environment;
mod erase;
mod failure;
mod input;
mod listing;
mod manual;
mod members;
mod migrate;
mod moment;
mod notifications;
mod operations;
mod operator;
mod output;
mod probe;
mod rekey;
mod roles;
mod runs;
mod send_test;
mod signed_webhook;
mod status;
mod watch;
mod web;

fn main() -> std::process::ExitCode {
    cli::execute()
}
