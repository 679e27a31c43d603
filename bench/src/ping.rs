//! `quarterdeck-bench ping`: what a ping costs the server, beside the bare handler, in alternating rounds.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;

use crate::cpu;
use crate::load::{Round, fetch, run as load};

const PATH: &str = "/api/v4/system/ping";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    server: PathBuf,
    /// How many rounds each of the two gets
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// How many requests a round has
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    requests: u64,
    /// How many connections send them
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=1000))]
    connections: u64,
}

/// What one of the two servers used over all its rounds.
#[derive(Default)]
struct Account {
    cpu: Duration,
    elapsed: Duration,
    requests: u64,
    p99_us: Vec<u64>,
}

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("quarterdeck-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = tokio::runtime::Runtime::new()?.block_on(measure(options, &folder));
    std::fs::remove_dir_all(&folder)?;
    let (server, bare, start, resident_kb) = measured?;
    println!("first ping after        {:>8} ms from the start of the process", start.as_millis());
    println!("idle resident memory    {resident_kb:>8} kB after that ping");
    for (name, account) in [("bare handler", &bare), ("quarterdeck", &server)] {
        println!(
            "{name:<16}  {:>7.2} µs CPU a request  {:>8.0} requests/s  p99 {:>6} µs (median of rounds)",
            account.cpu_us(),
            account.rate(),
            account.p99()
        );
    }
    println!("ratio of CPU a request  {:>8.3}", server.cpu_us() / bare.cpu_us());
    Ok(())
}

async fn measure(
    options: &Options,
    folder: &std::path::Path,
) -> Result<(Account, Account, Duration, u64), Box<dyn std::error::Error>> {
    let started = Instant::now();
    let program = options.server.canonicalize()?;
    let server = Process::start(
        Command::new(program).current_dir(folder).env("MM_SERVICESETTINGS_LISTENADDRESS", "127.0.0.1:0"),
    )?;
    let answer = fetch(&server.address, PATH).await?;
    let first_ping = started.elapsed();
    let resident_kb = cpu::resident_kb(server.child.id())?;
    let file = folder.join("answer");
    std::fs::write(&file, answer)?;
    let bench = std::env::current_exe()?;
    let bare = Process::start(Command::new(bench).arg("bare").arg("--path").arg(PATH).arg("--answer").arg(&file))?;
    let (mut of_server, mut of_bare) = (Account::default(), Account::default());
    for process in [&server, &bare] {
        load(&process.address, PATH, options.connections, options.requests).await?;
    }
    for _ in 0..options.rounds {
        of_bare.round(&bare, options).await?;
        of_server.round(&server, options).await?;
    }
    Ok((of_server, of_bare, first_ping, resident_kb))
}

impl Account {
    async fn round(&mut self, process: &Process, options: &Options) -> std::io::Result<()> {
        let before = cpu::used(process.child.id())?;
        let Round { requests, elapsed, latency } =
            load(&process.address, PATH, options.connections, options.requests).await?;
        self.cpu += cpu::used(process.child.id())?.saturating_sub(before);
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
        let mut sorted = self.p99_us.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }
}

/// A server that was started here and ends here.
struct Process {
    child: Child,
    address: String,
    /// Kept open: a server whose output nobody takes might end.
    _output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it and waits for the line that names its address.
    fn start(command: &mut Command) -> Result<Self, Box<dyn std::error::Error>> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        while output.read_line(&mut line)? > 0 {
            if let Some((_, address)) = line.split_once("listens on http://") {
                return Ok(Self { child, address: address.trim().to_owned(), _output: output });
            }
            line.clear();
        }
        let _ = child.kill();
        Err("the server ended before it listened".into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
