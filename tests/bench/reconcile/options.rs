//! What a measurement of nights is asked for.

use clap::Args;

/// How much there is to reconcile.
#[derive(Debug, Args)]
pub(crate) struct Nights {
    /// Members, all campuses together; several numbers are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    pub(super) members: Vec<u64>,
    /// Campuses
    #[arg(long, default_value_t = 20)]
    pub(super) campuses: usize,
    /// Nights without drift, and as many with 1 % of it
    #[arg(long, default_value_t = 3)]
    pub(super) rounds: u64,
    /// `DATABASE_POOL_SIZE` of the reconciler, which decides how many campuses go side by side
    #[arg(long)]
    pub(super) pool_size: Option<u32>,
    /// Document that the results go to
    #[arg(long, default_value = "reconcile")]
    pub(super) results: String,
}
