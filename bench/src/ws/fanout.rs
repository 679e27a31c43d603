//! `quarterdeck-bench ws-fanout`: the cost of sending one event to all sockets of an account.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use hdrhistogram::Histogram;
use reqwest::Client;

use crate::cpu;
use crate::process::Process;
use crate::report::{micros_each, percentiles, rate};
use crate::ws::bare;
use crate::ws::crowd::Crowd;
use crate::ws::endpoint::SocketEndpoint;
use crate::ws::place::{Place, Tested, raise_limit_of_files};
use crate::ws::publisher::Publisher;
use crate::ws::tally::Tally;

/// The timeout for a publication to reach all sockets. After it, the publication counts as lost.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of publications that are not counted, because the first ones fill caches.
const WARM_UP_PUBLICATIONS: u64 = 5;

/// The time after which the other events of new connections have arrived.
const SETTLE_TIME: Duration = Duration::from_secs(1);

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Tested,
    /// The server to compare with, for example an earlier build [default: the bare broadcast server]
    #[arg(long, value_name = "PATH", conflicts_with = "address")]
    baseline_binary: Option<PathBuf>,
    #[command(flatten)]
    volume: Volume,
}

/// The size of a measurement.
#[derive(Debug, Args)]
pub(crate) struct Volume {
    /// Number of sockets of the account
    #[arg(long, default_value_t = Volume::DEFAULT.connections, value_parser = clap::value_parser!(u64).range(1..=18_000))]
    connections: u64,
    /// Number of rounds for each of the two servers
    #[arg(long, default_value_t = Volume::DEFAULT.rounds, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// Number of publications in a round
    #[arg(long, default_value_t = Volume::DEFAULT.publications, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    publications: u64,
}

impl Volume {
    pub(crate) const DEFAULT: Self = Self { connections: 2000, rounds: 10, publications: 50 };

    /// Returns the number of files that this process and each of the two servers open.
    pub(crate) fn sockets(&self) -> u64 {
        self.connections * 2
    }
}

/// One of the two servers, with all its sockets and the results of its rounds.
struct Side {
    name: &'static str,
    pid: Option<u32>,
    publisher: Publisher,
    crowd: Crowd,
    /// The number of frames that a socket receives for each publication.
    frames: u64,
    used: Used,
}

struct Used {
    publications: u64,
    deliveries: u64,
    lost: u64,
    cpu: Duration,
    elapsed: Duration,
    latency: Histogram<u64>,
}

pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let volume = &options.volume;
    raise_limit_of_files(volume.sockets())?;
    let http = Client::new();
    let server = options.place.open(&http, 1).await?;
    if let Some(program) = &options.baseline_binary {
        let baseline = Place::start(program, &http, 1).await?;
        return beside(volume, &http, &server, &baseline).await;
    }
    let (publisher, texts) = publisher(volume, &http, &server).await?;
    let frames = u64::try_from(texts.len())?;
    let bare = Process::bare_broadcast()?;
    let of_bare = Publisher::of_texts(&http, &bare.address, &texts);
    let endpoints = vec![bare::endpoint(&bare.address, true)];
    let baseline = Side::new("bare broadcast", Some(bare.pid()), of_bare, endpoints, frames, volume).await?;
    let server = Side::new("quarterdeck", server.pid, publisher, server.endpoints(true), frames, volume).await?;
    alternate(volume, server, baseline).await
}

/// Measures two servers that are running, in alternating rounds.
pub(crate) async fn beside(volume: &Volume, http: &Client, server: &Place, baseline: &Place) -> Result<(), Failure> {
    let (of_server, texts) = publisher(volume, http, server).await?;
    let frames = u64::try_from(texts.len())?;
    let (of_baseline, texts) = Publisher::of_preferences(http, baseline).await?;
    let frames_of_baseline = u64::try_from(texts.len())?;
    let endpoints = baseline.endpoints(true);
    let baseline = Side::new("baseline", baseline.pid, of_baseline, endpoints, frames_of_baseline, volume).await?;
    let server = Side::new("quarterdeck", server.pid, of_server, server.endpoints(true), frames, volume).await?;
    alternate(volume, server, baseline).await
}

/// Returns the publisher of the server to measure, and the texts of a publication, which it prints.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
async fn publisher(volume: &Volume, http: &Client, server: &Place) -> Result<(Publisher, Vec<Vec<u8>>), Failure> {
    let (publisher, texts) = Publisher::of_preferences(http, server).await?;
    println!("{} connections; {}", volume.connections, described(&texts));
    Ok((publisher, texts))
}

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
async fn alternate(volume: &Volume, mut of_server: Side, mut of_baseline: Side) -> Result<(), Failure> {
    tokio::time::sleep(SETTLE_TIME).await;
    for side in [&mut of_baseline, &mut of_server] {
        side.round(WARM_UP_PUBLICATIONS).await?;
        side.used = Used::new()?;
    }
    let numbers_before = of_server.numbers();
    for _ in 0..volume.rounds {
        of_baseline.round(volume.publications).await?;
        of_server.round(volume.publications).await?;
    }
    println!("{}\n{}", of_baseline.line(), of_server.line());
    let (skipped, repeated) = of_server.numbers();
    println!(
        "sequence numbers of quarterdeck: {} skipped, {} repeated",
        skipped - numbers_before.0,
        repeated - numbers_before.1
    );
    if of_server.pid.is_some() {
        println!("ratio of CPU a delivery  {:>8.3}", of_server.used.cpu_us() / of_baseline.used.cpu_us());
    }
    Ok(())
}

fn described(texts: &[Vec<u8>]) -> String {
    let sizes: Vec<String> = texts.iter().map(|text| text.len().to_string()).collect();
    format!("a publication sends each of them {} texts of {} bytes", texts.len(), sizes.join(" and "))
}

impl Side {
    async fn new(
        name: &'static str,
        pid: Option<u32>,
        publisher: Publisher,
        endpoints: Vec<SocketEndpoint>,
        frames: u64,
        volume: &Volume,
    ) -> Result<Self, Failure> {
        let crowd = Crowd::gather(endpoints, volume.connections).await?;
        Ok(Self { name, pid, publisher, crowd, frames, used: Used::new()? })
    }

    /// Publishes one after the other; each waits until the previous one has reached all sockets.
    async fn round(&mut self, publications: u64) -> Result<(), Failure> {
        let before = self.cpu()?;
        for _ in 0..publications {
            self.publish().await?;
        }
        self.used.cpu += self.cpu()?.saturating_sub(before);
        self.used.latency.add(self.crowd.tally.take_latency())?;
        Ok(())
    }

    async fn publish(&mut self) -> Result<(), Failure> {
        let goal = self.crowd.len() * self.frames;
        let tally = self.crowd.tally.clone();
        tally.published.expect(goal);
        tally.begin();
        self.used.publications += 1;
        self.publisher.publish(self.used.publications).await?;
        let have_all = tally.published.is_reached(DELIVERY_TIMEOUT).await;
        tally.check()?;
        self.used.deliveries += tally.published.value();
        self.used.elapsed += tally.elapsed();
        if have_all {
            return Ok(());
        }
        self.used.lost += goal.saturating_sub(tally.published.value());
        Err(format!("a publication was lost on the way\n{}", self.line()).into())
    }

    fn cpu(&self) -> std::io::Result<Duration> {
        self.pid.map_or(Ok(Duration::ZERO), cpu::used)
    }

    /// Returns the number of event numbers that were skipped and repeated so far.
    fn numbers(&self) -> (u64, u64) {
        let tally: &Arc<Tally> = &self.crowd.tally;
        (tally.missing.load(Ordering::Relaxed), tally.repeated.load(Ordering::Relaxed))
    }

    fn line(&self) -> String {
        let cpu = if self.pid.is_some() { format!("{:>7.2}", self.used.cpu_us()) } else { "      -".to_owned() };
        let Used { deliveries, lost, elapsed, latency, .. } = &self.used;
        format!(
            "{:<16}{cpu} µs CPU a delivery  {:>8.0} deliveries/s  {}  {lost} of {} lost",
            self.name,
            rate(*deliveries, *elapsed),
            percentiles(latency),
            deliveries + lost
        )
    }
}

impl Used {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            publications: 0,
            deliveries: 0,
            lost: 0,
            cpu: Duration::ZERO,
            elapsed: Duration::ZERO,
            latency: Histogram::new_with_max(60_000_000, 3).map_err(std::io::Error::other)?,
        })
    }

    fn cpu_us(&self) -> f64 {
        micros_each(self.cpu, self.deliveries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_is_described_by_its_texts() {
        let texts = [vec![b'a'; 170], vec![b'b'; 300]];
        assert_eq!(described(&texts), "a publication sends each of them 2 texts of 170 and 300 bytes");
    }
}
