//! `faithctl probe`

use std::time::Duration;

use clap::Args;
use runtime::parse_duration;
use tokio::time::{Instant, sleep};

use crate::{failure::in_words, output, web};

/// A probe that takes longer is a failed one.
const TIME_LIMIT: Duration = Duration::from_secs(3);
const ASK_EVERY: Duration = Duration::from_millis(250);

/// Asks a program's admin port whether it can do its job.
///
/// For health checks in images without a shell, and for scripts that wait for a program that was just
/// started. Says why not, and exits 1.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  faithctl probe 127.0.0.1:9101\n  \
    faithctl probe 127.0.0.1:9102 --wait 30s")]
pub(crate) struct Arguments {
    /// The admin port, host:port
    address: String,
    /// Ask for so long until it is ready
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0s")]
    wait: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a number and a unit, such as 30s".to_owned())
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let deadline = Instant::now() + arguments.wait;
    let client = web::client(TIME_LIMIT)?;
    let url = format!("http://{}/readyz", arguments.address);
    loop {
        match ask(&client, &url).await {
            Ok(()) => return output::line("ready"),
            Err(reason) if Instant::now() >= deadline => {
                anyhow::bail!("{} is not ready: {reason}", arguments.address)
            }
            Err(_) => sleep(ASK_EVERY).await,
        }
    }
}

async fn ask(client: &reqwest::Client, url: &str) -> Result<(), String> {
    let answer = async {
        let response = client.get(url).send().await.map_err(reqwest::Error::without_url)?;
        let is_ready = response.status().is_success();
        anyhow::Ok((is_ready, response.text().await.map_err(reqwest::Error::without_url)?))
    };
    match answer.await {
        Ok((true, _)) => Ok(()),
        Ok((false, reasons)) => Err(reasons),
        Err(error) => Err(in_words(&error)),
    }
}
