//! A random model of nights: a core that changes, lies and is restored, people who archive and make members by
//! hand, filters, and the reconciler in between. After each run it is looked at what must never happen; now and
//! then all lies end, and members must equal the core.

mod check;
mod day;
mod gap;
mod lie;
mod people;

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clap::Parser;
use core_sim::Options;
use harness::{Campus, TestSystem};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use support::program::Finished;

use self::people::Here;

/// Passes nights at random over a core that lies, and checks each.
#[derive(Debug, Clone, Parser)]
#[command(version, name = "nights")]
pub struct Plan {
    /// For how long, in minutes
    #[arg(long, default_value_t = 10.0)]
    pub minutes: f64,
    /// Nights at most
    #[arg(long)]
    pub nights: Option<u64>,
    /// Everything follows from it; one is chosen where none is given
    #[arg(long)]
    pub seed: Option<u64>,
    /// Members that the core begins with
    #[arg(long, default_value_t = 60)]
    pub members: u64,
}

/// How it went.
#[derive(Debug, Default)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Nights that passed.
    pub nights: u64,
    /// Runs that ended as errors, all under a lie.
    pub errors: u64,
    /// Runs that held somebody.
    pub held: u64,
    /// Times that members were found equal to the core.
    pub settled: u64,
    /// Times that the core was restored with new ids.
    pub restored: u64,
    /// Times that webhooks were refused, or the gateway killed.
    pub gaps: u64,
    /// Members that were linked.
    pub linked: u64,
    /// Members that were archived and brought back.
    pub archive_changes: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} nights with --seed {}: {} errors, {} held, {} times equal, {} restored, {} gaps, {} linked, {} archived or brought back",
            self.nights,
            self.seed,
            self.errors,
            self.held,
            self.settled,
            self.restored,
            self.gaps,
            self.linked,
            self.archive_changes
        )
    }
}

/// What a model works on.
struct Model {
    system: TestSystem,
    random: StdRng,
    report: Report,
}

impl Plan {
    /// Runs it. An error says what was wrong, with the seed.
    pub async fn run(&self) -> anyhow::Result<Report> {
        let seed = self.seed.unwrap_or_else(rand::random);
        println!("nights with --seed {seed}");
        let churches = Options::churches_of(seed, 1, self.members);
        let core = Options { seed, churches, ..Options::default() };
        let system = TestSystem::builder().workers(0).core(core).proxied().spawn().await;
        let random = StdRng::seed_from_u64(seed);
        let mut model = Model { system, random, report: Report { seed, ..Report::default() } };
        let until = Instant::now() + Duration::from_secs_f64(self.minutes * 60.0);
        while Instant::now() < until && self.nights.is_none_or(|most| model.report.nights < most) {
            let night = model.report.nights;
            model.night().await.with_context(|| format!("night {night} of --seed {seed}"))?;
        }
        model.settle().await.with_context(|| format!("the end of --seed {seed}"))?;
        println!("{}", model.report);
        Ok(model.report)
    }
}

impl Model {
    fn campus(&self) -> &Campus {
        &self.system.campus
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    async fn execute(&self, statements: &str) -> anyhow::Result<()> {
        Ok(self.system.database.client().batch_execute(statements).await?)
    }

    /// A day, a night, and now and then the truth.
    async fn night(&mut self) -> anyhow::Result<()> {
        self.report.nights += 1;
        if self.report.nights.is_multiple_of(5) {
            self.settle().await?;
            if self.chance(50) {
                return self.restore().await;
            }
            if self.chance(60) {
                return self.gap().await;
            }
        }
        self.day().await?;
        let lie = self.lie();
        let told = lie.as_ref().map_or_else(|| "the truth".to_owned(), |lie| format!("{lie:?}"));
        let numbers = self.run(&[]).await.with_context(|| told.clone())?;
        self.system.core.clear_faults();
        ensure!(lie.is_some() || numbers.status != "error", "an error under {told}: {numbers:?}");
        if numbers.status == "held" && self.chance(50) {
            let allow = numbers.held.to_string();
            let allowed = self.run(&["--allow-archive", &allow]).await?;
            ensure!(allowed.status != "error", "what was held is let through: {allowed:?}");
        }
        Ok(())
    }

    /// A dry run and a run, which must say the same, with what must never happen looked at.
    async fn run(&mut self, arguments: &[&str]) -> anyhow::Result<Numbers> {
        let before = Here::look(&self.system).await?;
        let dry = Numbers::of(&self.reconcile(&[arguments, &["--dry-run"]].concat()).await)?;
        let same = Here::look(&self.system).await?;
        ensure!(before == same, "a dry run changed something");
        let numbers = Numbers::of(&self.reconcile(arguments).await)?;
        let after = Here::look(&self.system).await?;
        self.check_run(&before, &after, &numbers).await.with_context(|| format!("{numbers:?}"))?;
        if dry.status != "error" && numbers.status != "error" {
            ensure!(
                dry.figures() == numbers.figures(),
                "a dry run said {dry:?}, the run {numbers:?}"
            );
        }
        self.report.errors += u64::from(numbers.status == "error");
        self.report.held += u64::from(numbers.status == "held");
        self.report.linked += numbers.linked;
        self.report.archive_changes += numbers.archived + numbers.unarchived;
        Ok(numbers)
    }

    async fn reconcile(&self, arguments: &[&str]) -> Finished {
        let all = [&["--once", "--json", "--campus", &self.campus().id], arguments].concat();
        self.system.reconcile(&all).await
    }
}

/// What a run says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Numbers {
    status: String,
    created: u64,
    linked: u64,
    updated: u64,
    archived: u64,
    unarchived: u64,
    unchanged: u64,
    held: u64,
    message: String,
}

impl Numbers {
    fn of(finished: &Finished) -> anyhow::Result<Self> {
        let report: Value = serde_json::from_str(&finished.stdout)
            .with_context(|| format!("no report: {finished:?}"))?;
        Self::read(&report)
    }

    fn read(report: &Value) -> anyhow::Result<Self> {
        let number = |key: &str| report[key].as_u64().with_context(|| format!("{key} of {report}"));
        let numbers = Self {
            status: report["status"].as_str().unwrap_or_default().to_owned(),
            created: number("members_created")?,
            linked: number("members_linked")?,
            updated: number("members_updated")?,
            archived: number("members_archived")?,
            unarchived: number("members_unarchived")?,
            unchanged: number("members_unchanged")?,
            held: number("candidates_held")?,
            message: report["error_message"].as_str().unwrap_or_default().to_owned(),
        };
        ensure!(
            (numbers.status == "held") == (numbers.held > 0) || numbers.status == "error",
            "{numbers:?}"
        );
        Ok(numbers)
    }

    fn figures(&self) -> [u64; 7] {
        [
            self.created,
            self.linked,
            self.updated,
            self.archived,
            self.unarchived,
            self.unchanged,
            self.held,
        ]
    }
}
