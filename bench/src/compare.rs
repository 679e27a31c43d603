//! Compares the server CPU of a request with that of a baseline, in alternating rounds. The baseline is the bare handler
//! with the same response, or another build of the server.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Args;

use crate::cpu;
use crate::load::{Request, Round, fetch, run as load};
use crate::process::Process;
use crate::report::median;

const ROUNDS: u64 = 10;
const REQUESTS: u64 = 20_000;
const CONNECTIONS: u64 = 32;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    pub(crate) server: PathBuf,
    /// The server to compare with, for example an earlier build [default: the bare handler]
    #[arg(long, value_name = "PATH")]
    pub(crate) baseline_binary: Option<PathBuf>,
    /// Number of rounds for each of the two servers
    #[arg(long, default_value_t = ROUNDS, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// Number of requests in a round
    #[arg(long, default_value_t = REQUESTS, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    requests: u64,
    /// Number of connections that send the requests
    #[arg(long, default_value_t = CONNECTIONS, value_parser = clap::value_parser!(u64).range(1..=1000))]
    connections: u64,
}

impl Options {
    /// Returns the default options for a server.
    pub(crate) fn of(server: PathBuf) -> Self {
        Self { server, baseline_binary: None, rounds: ROUNDS, requests: REQUESTS, connections: CONNECTIONS }
    }
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
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("quarterdeck-bench-{}-{number}", std::process::id()));
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

/// One of the two servers, with the request that it receives.
pub(crate) struct Side<'a> {
    pub(crate) process: &'a Process,
    pub(crate) request: Request,
}

/// Measures one request and prints the result. Without a baseline it is compared with the bare handler.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) async fn run(
    options: &Options,
    server: &Side<'_>,
    baseline: Option<&Side<'_>>,
) -> Result<(), Box<dyn std::error::Error>> {
    let Some(baseline) = baseline else { return beside_bare_handler(options, server).await };
    let answer = fetch(&server.process.address, &server.request).await?;
    let of_baseline = fetch(&baseline.process.address, &baseline.request).await?;
    println!("response of {} bytes, head and body; of the baseline {}", answer.len(), of_baseline.len());
    alternate(options, server, ("baseline", baseline)).await
}

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
async fn beside_bare_handler(options: &Options, server: &Side<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let folder = Folder::new()?;
    let answer = fetch(&server.process.address, &server.request).await?;
    let file = folder.path().join("answer");
    std::fs::write(&file, &answer)?;
    let bare = Process::bare(server.request.path, &file)?;
    println!("response of {} bytes, head and body", answer.len());
    let bare = Side { process: &bare, request: server.request.clone() };
    alternate(options, server, ("bare handler", &bare)).await
}

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
async fn alternate(
    options: &Options,
    server: &Side<'_>,
    (name_of_baseline, baseline): (&str, &Side<'_>),
) -> Result<(), Box<dyn std::error::Error>> {
    let (mut of_server, mut of_baseline) = (Account::default(), Account::default());
    for side in [server, baseline] {
        load(&side.process.address, &side.request, options.connections, options.requests).await?;
    }
    for _ in 0..options.rounds {
        of_baseline.round(baseline, options).await?;
        of_server.round(server, options).await?;
    }
    for (name, account) in [(name_of_baseline, &of_baseline), ("quarterdeck", &of_server)] {
        println!(
            "{name:<16}  {:>7.2} µs CPU a request  {:>8.0} requests/s  p99 {:>6} µs (median of rounds)",
            account.cpu_us(),
            account.rate(),
            account.p99()
        );
    }
    println!("ratio of CPU a request  {:>8.3}", of_server.cpu_us() / of_baseline.cpu_us());
    Ok(())
}

impl Account {
    async fn round(&mut self, Side { process, request }: &Side<'_>, options: &Options) -> std::io::Result<()> {
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
