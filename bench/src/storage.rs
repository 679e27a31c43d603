//! `quarterdeck-bench storage-probes`: the delay of other requests while tests of a storage hang.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::account::{self, url};
use crate::compare::Folder;
use crate::load::{Request, run as load};
use crate::process::Process;
use crate::report::{median, to_float};

/// The timeout for all probes to hang, or to end.
const PROBES_TIMEOUT: Duration = Duration::from_secs(20);

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    server: PathBuf,
    /// Number of probes that hang at the same time, each with different settings
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=60))]
    probes: u64,
    /// Number of rounds, each without probes and with them
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u64).range(1..=101))]
    rounds: u64,
    /// Number of pings in a round
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=100_000))]
    requests: u64,
    /// Number of connections that send the pings
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=100))]
    connections: u64,
}

/// Pings an idle server and a server with hanging probes, in alternating rounds.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let folder = Folder::new()?;
    let server = Process::server(&options.server, folder.path())?;
    let http = Client::new();
    let token = account::first(&http, &server.address).await?;
    let hole = BlackHole::open().await?;
    let settings = settings(&http, &server.address, &token, &hole.address).await?;
    let ping = Request { path: "/api/v4/system/ping", query: "", headers: String::new() };
    let (mut calm, mut hanging) = (Vec::new(), Vec::new());
    load(&server.address, &ping, options.connections, options.requests).await?;
    for _ in 0..options.rounds {
        let round = load(&server.address, &ping, options.connections, options.requests).await?;
        calm.push(round.latency.value_at_quantile(0.99));
        let mut probes = probes(options.probes, &http, &server.address, &token, &settings);
        hole.holds(options.probes).await?;
        let round = load(&server.address, &ping, options.connections, options.requests).await?;
        hanging.push(round.latency.value_at_quantile(0.99));
        hole.holds(options.probes).await?;
        probes.abort_all();
        while probes.join_next().await.is_some() {}
        hole.holds(0).await?;
    }
    let (idle, busy) = (median(&calm), median(&hanging));
    println!("idle               p99 of ping {idle:>6} µs (median of rounds)");
    println!("{} probes hanging  p99 of ping {busy:>6} µs (median of rounds)", options.probes);
    println!("ratio of p99       {:>8.3}", to_float(busy) / to_float(idle));
    Ok(())
}

/// A host that accepts connections and never sends anything.
struct BlackHole {
    address: String,
    open: Arc<AtomicU64>,
}

impl BlackHole {
    async fn open() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, open) = (listener.local_addr()?.to_string(), Arc::new(AtomicU64::new(0)));
        let counted = open.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(swallow(stream, counted.clone()));
            }
        });
        Ok(Self { address, open })
    }

    /// Waits until exactly `count` connections have sent data and wait for a response.
    async fn holds(&self, count: u64) -> Result<(), Failure> {
        let counted = async {
            while self.open.load(Ordering::Relaxed) != count {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = timeout(PROBES_TIMEOUT, counted).await;
        waited.map_err(|_| format!("{} probes hang instead of {count}", self.open.load(Ordering::Relaxed)).into())
    }
}

async fn swallow(mut stream: TcpStream, open: Arc<AtomicU64>) {
    let mut chunk = vec![0; 4096];
    // A connection that only tests the port sends no data, so it is not counted as hanging.
    let mut is_counted = false;
    while stream.read(&mut chunk).await.is_ok_and(|length| length > 0) {
        if !is_counted {
            is_counted = true;
            open.fetch_add(1, Ordering::Relaxed);
        }
    }
    if is_counted {
        open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns the server's configuration, with a bucket on the host that hangs.
async fn settings(http: &Client, address: &str, token: &str, hole: &str) -> Result<Value, Failure> {
    let answer = http.get(url(address, "/config")).bearer_auth(token).send().await?.error_for_status()?;
    let mut config: Value = answer.json().await?;
    let files = config.get_mut("FileSettings").and_then(Value::as_object_mut).ok_or("no file settings")?;
    for (key, value) in [
        ("DriverName", json!("amazons3")),
        ("AmazonS3Endpoint", json!(hole)),
        ("AmazonS3SSL", json!(false)),
        ("AmazonS3AccessKeyId", json!("AKIABENCH")),
        ("AmazonS3SecretAccessKey", json!("of no use")),
        ("AmazonS3Region", json!("us-east-1")),
    ] {
        files.insert(key.to_owned(), value);
    }
    Ok(config)
}

/// Starts probes with different settings, so that no two share a test. A probe that ends starts again.
fn probes(count: u64, http: &Client, address: &str, token: &str, settings: &Value) -> JoinSet<()> {
    let mut probes = JoinSet::new();
    for number in 0..count {
        let mut settings = settings.clone();
        if let Some(bucket) = settings.pointer_mut("/FileSettings/AmazonS3Bucket") {
            *bucket = json!(format!("bucket-{number}"));
        }
        let request = http.post(url(address, "/file/test")).bearer_auth(token).json(&settings);
        probes.spawn(async move { while let Some(Ok(_)) = async { Some(request.try_clone()?.send().await) }.await {} });
    }
    probes
}
