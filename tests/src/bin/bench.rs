//! `cargo run --release -p tests --bin bench -- latency --rate 200`

use clap::Parser;
use tests::bench::Bench;

#[tokio::main]
async fn main() {
    Bench::parse().run().await;
}
