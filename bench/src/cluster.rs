//! `quarterdeck-bench cluster`: events through 1, 2 and 3 servers on one PostgreSQL, with or without Redis, and the cost
//! of each of them.

mod alone;
mod figures;
mod ledger;
mod nodes;
pub(crate) mod number;
mod postgres;
mod publishers;
mod redis;
mod revoke;
pub(crate) mod site;
pub(crate) mod sockets;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use reqwest::{Client, Url};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::database::Databases;
use crate::report::{percentiles, rate};
use crate::ws::fanout::Volume;
use crate::ws::place::raise_limit_of_files;
use figures::Usage;
use ledger::{Ledger, Outcome};
use nodes::Nodes;
use site::{Kind, Site};
use sockets::Sockets;

/// The rate of events for which the latency has a goal, and the goal for its 99th percentile.
const GOAL_EVENTS_PER_SECOND: u64 = 500;
const GOAL_P99: Duration = Duration::from_millis(50);

/// The time after which the other events of new sockets have arrived.
const SETTLE_TIME: Duration = Duration::from_secs(1);

/// The time after which PostgreSQL has counted the transactions of sessions that became idle.
const STATISTICS_DELAY: Duration = Duration::from_secs(12);

/// The time without an arrival after which events count as lost.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(5);

/// The time in which servers store the records of their last changes. This work counts for the round.
const RECORDS_TIME: Duration = Duration::from_millis(500);

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    server: PathBuf,
    /// A PostgreSQL server in which the run creates databases: postgres://user@host:port/database
    #[arg(long)]
    database: Url,
    /// A Redis without a password that gets the events: host:port
    #[arg(long)]
    redis: Option<String>,
    /// Maximum number of nodes; each number from 1 on is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=10))]
    nodes: u64,
    /// Events a second to publish; after them, as many as the nodes accept
    #[arg(long, value_delimiter = ',', default_values_t = [50, GOAL_EVENTS_PER_SECOND], value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rates: Vec<u64>,
    /// Duration of a round, in seconds
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(2..=600))]
    seconds: u64,
    /// Maximum number of events of a round
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    events: u64,
    /// The request that publishes events
    #[arg(long, value_enum, default_value_t = Kind::Preference)]
    publication: Kind,
    /// Number of connections that publish, spread over the nodes; each publishes one after the other
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=200))]
    publishers: u64,
    /// Number of sockets at each node that receive a publication
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    sockets: u64,
    /// Duration of the measurement without requests and sockets, in seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(10..=3600))]
    idle_seconds: u64,
    /// Number of revocations of each kind
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    revocations: u64,
    /// Only this part; may be given several times
    #[arg(long, value_enum)]
    part: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    /// The nodes without requests and sockets
    Idle,
    /// Events through the nodes
    Load,
    /// The time until a revocation on one node is in force on the others
    Revoke,
    /// One node beside a server on the embedded engine
    Alone,
}

/// Creates databases for the run, measures, and drops them, also if the run is interrupted.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    raise_limit_of_files(Volume::DEFAULT.sockets())?;
    let databases = Databases::at(&options.database).await?;
    let measured = tokio::select! {
        measured = measure(options, &databases) => measured,
        cause = interruption() => Err(cause),
    };
    databases.drop_all().await?;
    measured
}

/// Waits for a signal that ends the program.
async fn interruption() -> Failure {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return "signals cannot be received".into() };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    "interrupted".into()
}

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
async fn measure(options: &Options, databases: &Databases) -> Result<(), Failure> {
    let measures = |part| options.part.is_empty() || options.part.contains(&part);
    let mut p99_at_goal = None;
    if measures(Part::Idle) || measures(Part::Load) {
        println!("{}", options.described());
        for count in 1..=options.nodes {
            let cluster = Cluster::start(options, databases, count).await?;
            if measures(Part::Idle) {
                cluster.idle().await?;
            }
            if measures(Part::Load) {
                p99_at_goal = cluster.load().await?;
            }
            drop(cluster);
            databases.drop_all().await?;
        }
    }
    let mut is_revoked_in_time = true;
    if measures(Part::Revoke) && options.nodes > 1 {
        let cluster = Cluster::start(options, databases, options.nodes).await?;
        is_revoked_in_time = revoke::run(&cluster.nodes, options.revocations).await?;
        drop(cluster);
        databases.drop_all().await?;
    }
    if measures(Part::Alone) {
        alone::run(&options.server, databases).await?;
    }
    let mut is_fast = true;
    if let Some(p99) = p99_at_goal {
        is_fast = p99 < GOAL_P99;
        println!(
            "{}  p99 at {GOAL_EVENTS_PER_SECOND} events a second through {} nodes: {:.1} ms, bound {} ms",
            if is_fast { "holds " } else { "BROKEN" },
            options.nodes,
            p99.as_secs_f64() * 1e3,
            GOAL_P99.as_millis()
        );
    }
    if is_fast && is_revoked_in_time { Ok(()) } else { Err("a target was missed".into()) }
}

impl Options {
    fn described(&self) -> String {
        let Self { publishers, sockets, publication, seconds, .. } = self;
        format!(
            "{publishers} connections publish, spread over the nodes; a publication is {}; sockets that receive it at each \
             node: {sockets}; rounds of {seconds} s",
            publication.described()
        )
    }
}

/// The nodes on a database of their own.
struct Cluster<'a> {
    options: &'a Options,
    databases: &'a Databases,
    database: Url,
    nodes: Nodes,
}

impl<'a> Cluster<'a> {
    async fn start(options: &'a Options, databases: &'a Databases, count: u64) -> Result<Self, Failure> {
        let database = databases.create().await?;
        let nodes = Nodes::start(&options.server, &database, options.redis.as_deref(), count)?;
        Ok(Self { options, databases, database, nodes })
    }

    fn title(&self) -> String {
        let count = self.nodes.addresses.len();
        format!("{count} {}", if count == 1 { "node " } else { "nodes" })
    }

    /// Measures the nodes without requests and sockets.
    #[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
    async fn idle(&self) -> Result<(), Failure> {
        sleep(STATISTICS_DELAY).await;
        let before = self.databases.transactions(&self.database).await?;
        let ((), usage) = self.measured(sleep(Duration::from_secs(self.options.idle_seconds))).await?;
        let transactions = self.databases.transactions(&self.database).await?.saturating_sub(before);
        let a_second = rate(transactions, usage.elapsed);
        println!("{}  idle  {}; {a_second:.1} transactions/s", self.title(), usage.line_each_minute());
        Ok(())
    }

    /// Publishes at each rate, and then without a limit. Returns the 99th percentile of the latency at the goal's rate.
    #[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
    async fn load(&self) -> Result<Option<Duration>, Failure> {
        let http = Client::new();
        let site = Site::prepare(&http, &self.nodes, self.options).await?;
        let ledger = Arc::new(Ledger::new(site.shape)?);
        let sockets = Sockets::open(site.endpoints.clone(), &ledger).await?;
        sleep(SETTLE_TIME).await;
        // The first publications fill caches and connect to the database.
        self.round(&site, &ledger, Some(GOAL_EVENTS_PER_SECOND), SETTLE_TIME).await?;
        let mut p99_at_goal = None;
        for goal in self.options.rates.iter().copied().map(Some).chain([None]) {
            let duration = Duration::from_secs(self.options.seconds);
            let (outcome, usage) = self.round(&site, &ledger, goal, duration).await?;
            println!("{}  {}", self.title(), line(goal, &outcome, &usage, self.options.publication.events()));
            if goal == Some(GOAL_EVENTS_PER_SECOND) {
                p99_at_goal = Some(Duration::from_micros(outcome.latency.value_at_quantile(0.99)));
            }
        }
        sockets.end().await;
        Ok(p99_at_goal)
    }

    async fn round(
        &self,
        site: &Site,
        ledger: &Arc<Ledger>,
        goal: Option<u64>,
        duration: Duration,
    ) -> Result<(Outcome, Usage), Failure> {
        let events_each = self.options.publication.events();
        ledger.begin(self.options.events.div_ceil(events_each));
        let round = async {
            publishers::run(&site.senders, ledger, goal.map(|events| events.div_ceil(events_each)), duration).await?;
            ledger.settled(SILENCE_TIMEOUT).await;
            sleep(RECORDS_TIME).await;
            Ok::<_, Failure>(())
        };
        let (done, usage) = self.measured(round).await?;
        done?;
        Ok((ledger.outcome()?, usage))
    }

    async fn measured<T>(&self, work: impl Future<Output = T>) -> Result<(T, Usage), Failure> {
        figures::measured(self.databases, &self.database, &self.nodes, work).await
    }
}

fn line(goal: Option<u64>, outcome: &Outcome, usage: &Usage, events_each: u64) -> String {
    let Outcome { publications, refused, lost, elapsed, latency } = outcome;
    let goal = goal.map_or("max".to_owned(), |goal| goal.to_string());
    format!(
        "{goal:>4}  {:>6.0} events/s  {}  {} of {} events missed a socket, {refused} requests refused; {}",
        rate(publications * events_each, *elapsed),
        percentiles(latency),
        lost * events_each,
        publications * events_each,
        usage.line_each_thousand(publications * events_each)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_told_in_events() {
        let mut latency = crate::load::histogram().unwrap();
        latency.record(4_000).unwrap();
        let outcome = Outcome { publications: 250, refused: 3, lost: 1, elapsed: Duration::from_secs(2), latency };
        let line = line(Some(500), &outcome, &Usage::default(), 2);
        assert!(
            line.starts_with(
                " 500     250 events/s  p50 4.0 p95 4.0 p99 4.0 max 4.0 ms  2 of 500 events missed a socket, 3 requests refused; "
            ),
            "{line}"
        );
        assert!(super::line(None, &outcome, &Usage::default(), 2).starts_with(" max "));
    }
}
