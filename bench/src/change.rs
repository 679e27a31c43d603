//! `quarterdeck-bench change`: the cost of an acknowledged change with its audit record, compared with another program.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use hdrhistogram::Histogram;
use reqwest::{Client, Url};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::account;
use crate::compare::Folder;
use crate::cpu;
use crate::database::Databases;
use crate::load::{histogram, read_answer};
use crate::process::Process;
use crate::report::{median, micros_each, rate, to_float};

/// The timeout of one response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The time after the last response in which the server stores its remaining records. This work counts for the round.
const SETTLE_TIME: Duration = Duration::from_millis(300);

/// The maximum length of a response to a change, in bytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    server: PathBuf,
    /// The server to compare with: a release build of an earlier commit, or the same program to see the noise
    #[arg(long, value_name = "PATH")]
    baseline_binary: PathBuf,
    /// A PostgreSQL server in which the run creates two databases: postgres://user@host:port/database [default: the
    /// embedded engine]
    /// engine]
    #[arg(long)]
    database: Option<Url>,
    /// Number of rounds for each of the two servers
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// Number of changes in a round
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=100_000))]
    changes: u64,
    /// Number of connections that make the changes
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=100))]
    connections: u64,
}

/// One of the two servers, with its administrator and its results.
struct Side {
    name: &'static str,
    server: Process,
    token: String,
    user_id: String,
    cpu: Duration,
    elapsed: Duration,
    changes: u64,
    medians_us: Vec<u64>,
    p99_us: Vec<u64>,
}

/// Creates the databases for the run, measures, and drops them.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let Some(outside) = &options.database else {
        return measure(options, [None, None]).await;
    };
    let databases = Databases::at(outside).await?;
    let (baseline, measured) = (databases.create().await?, databases.create().await?);
    let outcome = measure(options, [Some(baseline), Some(measured)]).await;
    databases.drop_all().await?;
    outcome
}

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
async fn measure(options: &Options, [of_baseline, of_server]: [Option<Url>; 2]) -> Result<(), Failure> {
    let folder = Folder::new()?;
    let baseline = Side::start("baseline", &options.baseline_binary, &folder, of_baseline.as_ref()).await?;
    let server = Side::start("quarterdeck", &options.server, &folder, of_server.as_ref()).await?;
    let mut sides = [baseline, server];
    let engine = if options.database.is_some() { "PostgreSQL" } else { "embedded engine" };
    println!("{} x {} changes over {} connections, {engine}", options.rounds, options.changes, options.connections);
    for side in &mut sides {
        side.round(options, false).await?;
    }
    for _ in 0..options.rounds {
        for side in &mut sides {
            side.round(options, true).await?;
        }
    }
    for side in &sides {
        println!(
            "{:<12}  {:>8.1} µs CPU a change  {:>7.0} changes/s  p50 {:>6} µs  p99 {:>6} µs (medians of rounds)",
            side.name,
            side.cpu_us(),
            rate(side.changes, side.elapsed),
            median(&side.medians_us),
            median(&side.p99_us)
        );
    }
    let [baseline, server] = &sides;
    println!(
        "ratio of CPU a change {:>6.3}, of the median latency {:>6.3}",
        server.cpu_us() / baseline.cpu_us(),
        to_float(median(&server.medians_us)) / to_float(median(&baseline.medians_us))
    );
    Ok(())
}

impl Side {
    async fn start(
        name: &'static str,
        program: &Path,
        folder: &Folder,
        database: Option<&Url>,
    ) -> Result<Self, Failure> {
        let place = folder.path().join(name);
        std::fs::create_dir_all(&place)?;
        let settings = database.map(|database| {
            [("MM_SQLSETTINGS_DRIVERNAME", "postgres"), ("MM_SQLSETTINGS_DATASOURCE", database.as_str())]
        });
        let server = Process::server_with(program, &place, settings.as_ref().map_or(&[], |settings| &settings[..]))?;
        let http = Client::new();
        let token = account::first(&http, &server.address).await?;
        let user_id = account::id(&http, &server.address, &token).await?;
        let (cpu, elapsed) = (Duration::ZERO, Duration::ZERO);
        Ok(Self { name, server, token, user_id, cpu, elapsed, changes: 0, medians_us: Vec::new(), p99_us: Vec::new() })
    }

    async fn round(&mut self, options: &Options, counts: bool) -> io::Result<()> {
        let each = options.changes / options.connections;
        let (before, started) = (cpu::used(self.server.pid())?, Instant::now());
        let mut tasks = JoinSet::new();
        for connection in 0..options.connections {
            tasks.spawn(change(self.server.address.clone(), self.request(connection), each));
        }
        let mut latency = histogram()?;
        while let Some(ended) = tasks.join_next().await {
            latency.add(ended??).map_err(io::Error::other)?;
        }
        let elapsed = started.elapsed();
        sleep(SETTLE_TIME).await;
        if counts {
            self.cpu += cpu::used(self.server.pid())?.saturating_sub(before);
            self.elapsed += elapsed;
            self.changes += each * options.connections;
            self.medians_us.push(latency.value_at_quantile(0.5));
            self.p99_us.push(latency.value_at_quantile(0.99));
        }
        Ok(())
    }

    /// Returns a request that stores one preference for each connection: one row and one audit record.
    fn request(&self, connection: u64) -> String {
        let name = format!("connection{connection}");
        let body =
            json!([{ "user_id": self.user_id, "category": "bench", "name": name, "value": "a value" }]).to_string();
        format!(
            "PUT /api/v4/users/me/preferences HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.server.address,
            self.token,
            body.len()
        )
    }

    fn cpu_us(&self) -> f64 {
        micros_each(self.cpu, self.changes)
    }
}

/// Makes changes one after the other on one connection.
async fn change(address: String, request: String, count: u64) -> io::Result<Histogram<u64>> {
    let mut connection = TcpStream::connect(&address).await?;
    connection.set_nodelay(true)?;
    let mut latency = histogram()?;
    let mut buffer = vec![0; MAX_RESPONSE_BYTES];
    for _ in 0..count {
        let started = Instant::now();
        connection.write_all(request.as_bytes()).await?;
        timeout(RESPONSE_TIMEOUT, read_answer(&mut connection, &mut buffer)).await??;
        latency.saturating_record(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(latency)
}
