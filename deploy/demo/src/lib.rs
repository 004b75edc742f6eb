#![doc = include_str!("../README.md")]

mod arguments;
mod backends;
mod demo;
mod first_webhook;
mod operator;
mod place;
mod product;
mod report;
mod roles;
mod summary;

use std::process::ExitCode;

use support::process::dismiss_guardian;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub use self::arguments::Arguments;
use self::{
    arguments::Part, backends::Backends, demo::Demo, first_webhook::FirstWebhook, product::Product,
    report::Report, roles::RoleUrls, summary::Summary,
};

/// The exit code of one who was interrupted before the product was up.
const INTERRUPTED: u8 = 130;

/// What is running.
struct Running {
    product: Product,
    backends: Backends,
}

/// Runs `deploy/up` to its end.
pub async fn run(mut arguments: Arguments) -> ExitCode {
    if let Some(Part::CoreSim(arguments)) = arguments.part.take() {
        return match core_sim::cli::run(*arguments).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                Report::new().failure(&error);
                ExitCode::FAILURE
            }
        };
    }
    runtime::install_crypto_provider();
    let mut report = Report::new();
    let code = match Stop::listen() {
        // Boxed: all steps together are one large future.
        Ok(mut stop) => Box::pin(supervise(&arguments, &mut report, &mut stop)).await,
        Err(error) => {
            report.failure(&error);
            ExitCode::FAILURE
        }
    };
    dismiss_guardian();
    code
}

async fn supervise(arguments: &Arguments, report: &mut Report, stop: &mut Stop) -> ExitCode {
    let started = tokio::select! {
        started = start_all(arguments, report) => started,
        () = stop.asked() => {
            report.interrupted();
            return ExitCode::from(INTERRUPTED);
        }
    };
    let running = match started {
        Ok(running) => running,
        Err(error) => {
            report.failure(&error);
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    if !arguments.once {
        tokio::select! {
            () = stop.asked() => {}
            ended = running.first_end() => {
                report.failure(&ended);
                code = ExitCode::FAILURE;
            }
        }
    }
    report.stopping();
    tokio::select! {
        () = running.stop() => {}
        // Asked twice: what is left is killed.
        () = stop.asked() => {}
    }
    code
}

/// Starts everything, sends one webhook through it, and tells how to go on.
async fn start_all(arguments: &Arguments, report: &mut Report) -> anyhow::Result<Running> {
    let folder = place::data_folder(arguments)?;
    report.title(folder.path());
    for note in backends::named_in_environment()? {
        report.note(&note);
    }

    let backends = report.step("PostgreSQL and RabbitMQ", Backends::start(&folder)).await?;
    let settings = product::common_settings(&folder, &backends)?;
    let migrating = roles::migrate(&folder, &backends, &settings);
    let role_urls: RoleUrls = report.step("tables and roles", migrating).await?;
    let mut product = Product::new(folder, settings, role_urls)?;
    report.step("simulated FaithFlow core", product.start_core()).await?;
    let owner = backends.owner().await?.client;
    let demo: Demo = report.step("demo campus", Demo::find_or_add(&product, &owner)).await?;
    report.step("gateway, worker and reconciler", product.start_programs()).await?;
    let webhook = FirstWebhook::new(&product, &demo);
    let member = report.step("one signed webhook through all of them", webhook.send()).await?;
    let row = report.step("its member row in Postgres", member.row(&owner)).await?;

    let operator = if arguments.once { None } else { Some(operator::write_environment(&product)?) };
    report::show(&Summary {
        product: &product,
        demo: &demo,
        row: &row,
        operator: operator.as_deref(),
    });
    Ok(Running { product, backends })
}

impl Running {
    /// Waits until any of it has ended by itself, and says which.
    async fn first_end(&self) -> anyhow::Error {
        tokio::select! {
            ended = self.product.first_end() => ended,
            ended = self.backends.first_end() => ended,
        }
    }

    /// Stops everything in order: who uses, before who is used.
    async fn stop(self) {
        self.product.stop().await;
        self.backends.stop().await;
    }
}

/// Ctrl-C and SIGTERM.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
