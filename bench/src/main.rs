//! Load tests that know only the wire.
//!
//! Speed is stated as a ratio against a baseline in the same run, because the load generator shares the cores with what it measures.

mod bare;
mod compare;
mod config;
mod cpu;
mod load;
mod ping;
mod process;

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
    Ping(compare::Options),
    /// The same for `GET /config/client`, anonymous and logged in, plain and packed
    ConfigClient(compare::Options),
    /// The same for `GET /config` as administrator, plain and packed
    Config(compare::Options),
    /// The bare handler itself; the others start it
    #[command(hide = true)]
    Bare(bare::Options),
}

type Done = Result<(), Box<dyn std::error::Error>>;

fn main() -> Done {
    match Cli::parse().command {
        Command::Ping(options) => wait_for(ping::run(&options)),
        Command::ConfigClient(options) => wait_for(config::show_to_clients(&options)),
        Command::Config(options) => wait_for(config::show(&options)),
        Command::Bare(options) => bare::run(&options),
    }
}

fn wait_for(measurement: impl Future<Output = Done>) -> Done {
    tokio::runtime::Runtime::new()?.block_on(measurement)
}
