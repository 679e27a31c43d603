//! Compares the server CPU of a request with that of the bare handler with the same response, in alternating rounds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::cpu;
use crate::load::{Request, Round, fetch, run as load};
use crate::process::Process;
use crate::report::median;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    pub(crate) server: PathBuf,
    /// Number of rounds for each of the two servers
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// Number of requests in a round
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    requests: u64,
    /// Number of connections that send the requests
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=1000))]
    connections: u64,
}

/// The results of one of the two over all its rounds.
#[derive(Default)]
struct Account {
    cpu: Duration,
    elapsed: Duration,
    requests: u64,
    p99_us: Vec<u64>,
}

/// A temporary folder for the run. It is deleted when this is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("quarterdeck-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Measures one request and prints the result.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) async fn run(
    options: &Options,
    folder: &Folder,
    server: &Process,
    request: &Request,
) -> Result<(), Box<dyn std::error::Error>> {
    let answer = fetch(&server.address, request).await?;
    let file = folder.path().join("answer");
    std::fs::write(&file, &answer)?;
    let bare = Process::bare(request.path, &file)?;
    let (mut of_server, mut of_bare) = (Account::default(), Account::default());
    for process in [server, &bare] {
        load(&process.address, request, options.connections, options.requests).await?;
    }
    for _ in 0..options.rounds {
        of_bare.round(&bare, request, options).await?;
        of_server.round(server, request, options).await?;
    }
    println!("answer of {} bytes, head and body", answer.len());
    for (name, account) in [("bare handler", &of_bare), ("quarterdeck", &of_server)] {
        println!(
            "{name:<16}  {:>7.2} µs CPU a request  {:>8.0} requests/s  p99 {:>6} µs (median of rounds)",
            account.cpu_us(),
            account.rate(),
            account.p99()
        );
    }
    println!("ratio of CPU a request  {:>8.3}", of_server.cpu_us() / of_bare.cpu_us());
    Ok(())
}

impl Account {
    async fn round(&mut self, process: &Process, request: &Request, options: &Options) -> std::io::Result<()> {
        let before = cpu::used(process.pid())?;
        let Round { requests, elapsed, latency } =
            load(&process.address, request, options.connections, options.requests).await?;
        self.cpu += cpu::used(process.pid())?.saturating_sub(before);
        self.elapsed += elapsed;
        self.requests += requests;
        self.p99_us.push(latency.value_at_quantile(0.99));
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a few million requests are exact in a float")]
    fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "a few million requests are exact in a float")]
    fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    fn p99(&self) -> u64 {
        median(&self.p99_us)
    }
}
