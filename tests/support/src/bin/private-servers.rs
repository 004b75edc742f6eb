//! Runs a command with a private PostgreSQL and RabbitMQ, and leaves nothing of them behind.
//!
//! `private-servers COMMAND [ARGUMENT…]`: the command finds them through `TEST_POSTGRES_URL`,
//! `TEST_AMQP_URL` and `TEST_AMQP_MANAGEMENT_URL`. Exits as the command does.

use std::process::ExitCode;

use support::servers::run_with_private_servers;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    run_with_private_servers(std::env::args_os().skip(1).collect()).await
}
