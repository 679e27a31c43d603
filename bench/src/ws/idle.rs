//! `quarterdeck-bench ws-idle`: the memory of an idle connection.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::Client;

use crate::cpu::resident_kb;
use crate::process::Process;
use crate::report::median;
use crate::ws::bare;
use crate::ws::crowd::Crowd;
use crate::ws::endpoint::SocketEndpoint;
use crate::ws::place::{Place, Tested, accounts_for, raise_limit_of_files};

/// The interval between two readings of the memory. Readings stop when the memory is stable or after [`MAX_READINGS`].
const READING_INTERVAL: Duration = Duration::from_millis(500);
const MAX_READINGS: usize = 20;

/// A difference of at most this many kB counts as stable.
const STABLE_WITHIN_KB: u64 = 64;

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Tested,
    /// The server to compare with, for example an earlier build [default: the bare broadcast server]
    #[arg(long, value_name = "PATH", conflicts_with = "address")]
    baseline_binary: Option<PathBuf>,
    /// Number of sockets that are open at the same time
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=25_000))]
    connections: u64,
    /// Number of times that each of the two servers is started and measured; a running server is measured once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=20))]
    rounds: u64,
}

/// Resident memory of a process, in kB.
struct Resident {
    before: u64,
    after: u64,
}

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let (connections, place) = (options.connections, &options.place);
    if !place.has_process() {
        return Err("a measurement of a running server needs --pid".into());
    }
    raise_limit_of_files(connections)?;
    let http = Client::new();
    let (mut of_baseline, mut of_server) = (Vec::new(), Vec::new());
    let accounts = if place.is_given() { 1 } else { accounts_for(connections) };
    println!("{connections} idle connections, shared among {accounts} accounts");
    for _ in 0..if place.is_given() { 1 } else { options.rounds } {
        of_baseline.push(fill_baseline(options, &http, accounts).await?);
        let server = place.open(&http, accounts).await?;
        let pid = server.pid.ok_or("no process")?;
        of_server.push(fill("quarterdeck", pid, server.endpoints(true), connections).await?);
    }
    let (baseline, server) = (median(&of_baseline), median(&of_server));
    println!("median          {server:>7} bytes a connection, {baseline} of the baseline");
    Ok(())
}

/// Starts the baseline, fills it with sockets and ends it.
async fn fill_baseline(options: &Options, http: &Client, accounts: u64) -> Result<u64, Failure> {
    if let Some(program) = &options.baseline_binary {
        let place = Place::start(program, http, accounts).await?;
        let pid = place.pid.ok_or("no process")?;
        return fill("baseline", pid, place.endpoints(true), options.connections).await;
    }
    let bare = Process::bare_broadcast()?;
    let endpoint = bare::endpoint(&bare.address, true);
    fill("bare broadcast", bare.pid(), vec![endpoint], options.connections).await
}

/// Opens the sockets. Prints and returns the bytes that each of them takes.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
async fn fill(name: &str, pid: u32, endpoints: Vec<SocketEndpoint>, connections: u64) -> Result<u64, Failure> {
    let before = settled_kb(pid).await?;
    let crowd = Crowd::gather(endpoints, connections).await?;
    let resident = Resident { before, after: settled_kb(pid).await? };
    crowd.tally.check()?;
    println!("{}", resident.line(name, connections));
    Ok(resident.bytes_each(connections))
}

/// Reads the resident memory of a process until it no longer changes.
pub(crate) async fn settled_kb(pid: u32) -> std::io::Result<u64> {
    let mut last = resident_kb(pid)?;
    for _ in 0..MAX_READINGS {
        tokio::time::sleep(READING_INTERVAL).await;
        let now = resident_kb(pid)?;
        let is_settled = now.abs_diff(last) <= STABLE_WITHIN_KB;
        if is_settled {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

impl Resident {
    fn bytes_each(&self, connections: u64) -> u64 {
        self.after.saturating_sub(self.before) * 1024 / connections.max(1)
    }

    fn line(&self, name: &str, connections: u64) -> String {
        let Self { before, after } = self;
        format!(
            "{name:<16}{:>7} bytes a connection ({before} kB before, {after} kB after)",
            self.bytes_each(connections)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_divided_among_the_connections() {
        let resident = Resident { before: 20_000, after: 120_000 };
        assert_eq!(resident.bytes_each(10_000), 10_240);
        let line = resident.line("quarterdeck", 10_000);
        assert_eq!(line, "quarterdeck       10240 bytes a connection (20000 kB before, 120000 kB after)");
    }
}
