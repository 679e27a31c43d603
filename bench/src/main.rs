//! Load tests that know only the wire.
//!
//! Speed is stated as a ratio against a baseline in the same run, because the load generator shares the cores with what it measures.

mod bare;
mod cpu;
mod load;
mod ping;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "quarterdeck-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Server CPU for each `GET /system/ping`, beside a bare actix-web handler that returns the same bytes
    Ping(ping::Options),
    /// The bare handler itself; `ping` starts it
    #[command(hide = true)]
    Bare(bare::Options),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match Cli::parse().command {
        Command::Ping(options) => ping::run(&options),
        Command::Bare(options) => bare::run(&options),
    }
}
