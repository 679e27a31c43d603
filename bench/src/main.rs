//! Load tests that use the server's public protocols only.
//!
//! Each result is a ratio to a baseline of the same run, because the load generator shares the cores with the measured
//! process.

mod account;
mod analytics;
mod attack;
mod bare;
mod change;
mod changes;
mod cluster;
mod compare;
mod config;
mod cores;
mod cpu;
mod database;
mod load;
mod logs;
mod memory;
mod ping;
mod process;
mod remote;
mod report;
mod run;
mod search;
mod start;
mod storage;
mod stream;
mod ws;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "quarterdeck-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Loads a server with a scenario, and reports latencies, failures and the use of the server
    Run(run::options::Options),
    /// Raises the load of a scenario until a threshold fails, and names the load that a server supports
    Ladder(run::ladder::Options),
    /// The change of figures over several reports of `run`
    Compare(changes::Options),
    /// Server CPU for each `GET /system/ping`, compared with a bare actix-web handler that returns the same bytes, or with another build
    Ping(compare::Options),
    /// Server CPU for each `GET /config/client`, anonymous and logged in, plain and gzip, compared in the same way
    ConfigClient(compare::Options),
    /// Server CPU for each `GET /config` as administrator, plain and gzip, compared in the same way
    Config(compare::Options),
    /// Server CPU and latency of a change with its audit record, compared with another program
    Change(change::Options),
    /// Latency of `GET /system/ping` while tests of a storage hang, compared with an idle server
    StorageProbes(storage::Options),
    /// Time and memory to read and search a log of gigabytes, compared with reading the whole file
    Logs(logs::Options),
    /// Memory that a burst of connections takes, memory that is freed after it, and server CPU for each later request
    Memory(memory::Options),
    /// Latency of the statistics of a site with a million messages, compared with a ping
    Analytics(analytics::Options),
    /// Latency of searches inside the names of 100,000 accounts, on either engine
    Search(search::Options),
    /// Events through several servers on one PostgreSQL, their latency, and server CPU and PostgreSQL CPU for them
    Cluster(cluster::Options),
    /// Time until an ephemeral server is ready, compared with a plain start
    Start(start::Options),
    /// Memory of each idle WebSocket connection, compared with a bare actix-ws server or with another build
    WsIdle(ws::idle::Options),
    /// Server CPU and latency of each event that many sockets receive, compared with a bare actix-ws server or with another build
    WsFanout(ws::fanout::Options),
    /// All sockets break at once, miss events and reconnect to get them
    WsStorm(ws::storm::Options),
    /// Latency of a ping, logins and memory during many attacks at once, compared with harmless clients
    Attack(attack::Options),
    /// The bare handler itself; other commands start it
    #[command(hide = true)]
    Bare(bare::Options),
    /// The bare broadcast server itself; other commands start it
    #[command(hide = true)]
    BareBroadcast,
}

type Done = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let done = run_command(Cli::parse().command);
    done.map_or_else(
        |cause| {
            eprintln!("quarterdeck-bench: {cause}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn run_command(command: Command) -> Done {
    match command {
        Command::Run(options) => wait_alone_for(run::run(&options)),
        Command::Ladder(options) => wait_alone_for(run::ladder::run(&options)),
        Command::Compare(options) => changes::run(&options),
        Command::Ping(options) => wait_for(ping::run(&options)),
        Command::ConfigClient(options) => wait_for(config::show_to_clients(&options)),
        Command::Config(options) => wait_for(config::show(&options)),
        Command::Change(options) => wait_for(change::run(&options)),
        Command::StorageProbes(options) => wait_for(storage::run(&options)),
        Command::Logs(options) => wait_for(logs::run(&options)),
        Command::Memory(options) => wait_for(memory::run(&options)),
        Command::Analytics(options) => wait_for(analytics::run(&options)),
        Command::Search(options) => wait_for(search::run(&options)),
        Command::Cluster(options) => wait_alone_for(cluster::run(&options)),
        Command::Start(options) => wait_for(start::run(&options)),
        Command::WsIdle(options) => wait_alone_for(ws::idle::run(&options)),
        Command::WsFanout(options) => wait_alone_for(ws::fanout::run(&options)),
        Command::WsStorm(options) => wait_alone_for(ws::storm::run(&options)),
        Command::Attack(options) => wait_alone_for(attack::run(&options)),
        Command::Bare(options) => bare::run(&options),
        Command::BareBroadcast => ws::bare::run(),
    }
}

fn wait_for(measurement: impl Future<Output = Done>) -> Done {
    tokio::runtime::Runtime::new()?.block_on(measurement)
}

/// Runs on one thread: sockets that wait for each other's turn cost less than threads that wake each other.
fn wait_alone_for(measurement: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measurement)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_commands_of_the_documents_are_read() {
        let documents = [
            include_str!("../../README.md"),
            include_str!("../../docs/load-tests.md"),
            include_str!("../../docs/performance.md"),
        ];
        let lines = documents.iter().flat_map(|text| text.lines());
        let commands = lines.filter_map(|line| line.strip_prefix("$ target/release/quarterdeck-bench "));
        let mut count = 0;
        for command in commands {
            let words = command.trim_end_matches('\\').split_whitespace().map(|word| word.trim_matches('\''));
            let read = Cli::try_parse_from(["quarterdeck-bench"].into_iter().chain(words));
            assert!(read.is_ok(), "{command}: {:?}", read.err());
            count += 1;
        }
        assert!(count > 20, "{count} commands");
    }
}
