//! `quarterdeck-bench analytics`: the latency of the statistics of a large site, compared with a ping.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use reqwest::{Client, Url};
use tokio::time::sleep;
use tokio_postgres::Client as Database;

use crate::account;
use crate::compare::Folder;
use crate::database::{Databases, connect};
use crate::load::{Request, run as load};
use crate::process::Process;
use crate::report::{median, to_float};

/// The time for which each topic is requested. The server counts it again meanwhile.
const TOPIC_DURATION: Duration = Duration::from_secs(8);

/// The age from which the server counts the statistics again, in seconds.
const AGE_SECONDS: &str = "2";

const NAME: &str = "?name=";

const TOPICS: [&str; 5] = [
    "?name=standard",
    "?name=post_counts_day",
    "?name=user_counts_with_posts_day",
    "?name=bot_post_counts_day",
    "?name=extra_counts",
];

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    server: PathBuf,
    /// A PostgreSQL server in which the run creates a database: postgres://user@host:port/database
    #[arg(long)]
    database: Url,
    /// Number of messages
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1..=10_000_000))]
    messages: i64,
    /// Number of requests in a round
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(100..=100_000))]
    requests: u64,
    /// Number of connections that send the requests
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=100))]
    connections: u64,
}

/// Creates a database for the run, measures, and drops it.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let databases = Databases::at(&options.database).await?;
    let measured = measure(options, &databases.create().await?).await;
    databases.drop_all().await?;
    measured
}

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
async fn measure(options: &Options, database: &Url) -> Result<(), Failure> {
    let folder = Folder::new()?;
    let settings = [
        ("MM_SQLSETTINGS_DRIVERNAME", "postgres"),
        ("MM_SQLSETTINGS_DATASOURCE", database.as_str()),
        ("MM_QUARTERDECK_ANALYTICSAGESECONDS", AGE_SECONDS),
    ];
    let server = Process::server_with(&options.server, folder.path(), &settings)?;
    let token = account::first(&Client::new(), &server.address).await?;
    let site = connect(database).await?;
    seed(&site, options.messages).await?;
    let busiest = Arc::new(AtomicI64::new(0));
    let watch = tokio::spawn(watch(site, busiest.clone()));
    let ping = Request { path: "/api/v4/system/ping", query: "", headers: String::new() };
    println!("{} messages; the figures are counted again every {AGE_SECONDS} s", options.messages);
    for query in TOPICS {
        let topic = query.trim_start_matches(NAME);
        let first = Instant::now();
        let address = format!("http://{}/api/v4/analytics/old{query}", server.address);
        Client::new().get(address).bearer_auth(&token).send().await?.error_for_status()?.bytes().await?;
        let first = first.elapsed();
        let headers = format!("Authorization: Bearer {token}\r\n");
        let request = Request { path: "/api/v4/analytics/old", query, headers };
        let (mut of_ping, mut of_topic, mut slowest) = (Vec::new(), Vec::new(), 0);
        let begun = Instant::now();
        while begun.elapsed() < TOPIC_DURATION {
            let round = load(&server.address, &ping, options.connections, options.requests).await?;
            of_ping.push(round.latency.value_at_quantile(0.99));
            let round = load(&server.address, &request, options.connections, options.requests).await?;
            of_topic.push(round.latency.value_at_quantile(0.99));
            slowest = slowest.max(round.latency.max());
        }
        let (ping, topic_p99) = (median(&of_ping), median(&of_topic));
        println!(
            "{topic:<27} first {:>5} ms, then p99 {topic_p99:>6} µs, slowest {slowest:>6} µs; ping p99 {ping:>6} µs; ratio {:>6.3}",
            first.as_millis(),
            to_float(topic_p99) / to_float(ping)
        );
    }
    watch.abort();
    println!("statements that counted messages at the same time, at most: {}", busiest.load(Ordering::Relaxed));
    Ok(())
}

/// Inserts messages of 500 users in 100 channels over 40 days.
async fn seed(site: &Database, messages: i64) -> Result<(), Failure> {
    let statement = "INSERT INTO posts (id, createat, updateat, deleteat, userid, channelid, type) \
        SELECT lpad(i::text, 26, '0'), now_ms - (i % 40) * 86400000 - 1000, now_ms, 0, 'u' || i % 500, 'c' || i % 100, '' \
        FROM generate_series(1, $1::bigint) AS i, (SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms) AS clock";
    site.execute(statement, &[&messages]).await?;
    site.batch_execute("ANALYZE posts").await?;
    Ok(())
}

/// Records the largest number of statements that read messages at the same time.
async fn watch(site: Database, busiest: Arc<AtomicI64>) {
    let statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
        AND state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND query ILIKE '%posts%'";
    while let Ok(row) = site.query_one(statement, &[]).await {
        busiest.fetch_max(row.get(0), Ordering::Relaxed);
        sleep(Duration::from_millis(5)).await;
    }
}
