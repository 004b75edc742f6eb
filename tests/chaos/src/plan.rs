//! What a chaos run is asked for.

use clap::Parser;

/// Changes members, posts webhooks and injects faults, then waits until all is quiet and checks:
/// every accepted event has a fate, no queue holds anything, members equal the core, and no write
/// put an older state over a newer one.
#[derive(Debug, Clone, Parser)]
#[command(version, name = "chaos")]
pub struct Plan {
    /// How long faults are injected, in minutes
    #[arg(long, default_value_t = 10.0)]
    pub minutes: f64,
    /// Faults and changes follow from it; one is chosen where none is given
    #[arg(long)]
    pub seed: Option<u64>,
    /// Changes a second, each with its webhook
    #[arg(long, default_value_t = 200)]
    pub rate: u32,
    /// Gateways
    #[arg(long, default_value_t = 2)]
    pub gateways: usize,
    /// Workers
    #[arg(long, default_value_t = 4)]
    pub workers: usize,
    /// Campuses, each with a church of the core
    #[arg(long, default_value_t = 3)]
    pub campuses: usize,
    /// Members of each campus
    #[arg(long, default_value_t = 200)]
    pub members: usize,
    /// Nodes of the RabbitMQ cluster
    #[arg(long, default_value_t = 1)]
    pub nodes: usize,
    /// Nothing at random: the node that leads the work queue is killed, three times
    #[arg(long)]
    pub leaders: bool,
    /// How long everything may take to come to rest afterwards, in seconds
    #[arg(long, default_value_t = 300)]
    pub rest_within: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self::parse_from(["chaos"])
    }
}
