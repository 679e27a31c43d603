//! `quarterdeck-bench ws-storm`: all sockets break at once, miss some events, and reconnect to get them.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::{Args, ValueEnum};
use reqwest::Client;

use crate::cpu;
use crate::process::Process;
use crate::report::micros_each;
use crate::ws::bare;
use crate::ws::crowd::Crowd;
use crate::ws::place::{Tested, accounts_for, raise_limit_of_files};
use crate::ws::publisher::Publisher;
use crate::ws::tally::Count;

/// The timeout for all sockets to get their events, in seconds, and the time without any event after which the rest
/// counts as lost.
const DELIVERY_TIMEOUT_S: u64 = 60;
const SILENCE_TIMEOUT_S: u64 = 5;

/// The time after which the server knows that the sockets broke, and its own events have been sent.
const SETTLE_TIME: Duration = Duration::from_secs(1);

/// The number of events that a server keeps for a connection without a socket, and the part of it for events beside the
/// publications.
const RING_EVENTS: u64 = 128;
const OTHER_EVENTS: u64 = 8;

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Tested,
    /// Number of sockets that break
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..=15_000))]
    connections: u64,
    /// Number of rounds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,
    /// Number of publications that the sockets miss
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=60))]
    publications: u64,
    /// The way the sockets break
    #[arg(long, value_enum, default_value_t = Break::Reset)]
    by: Break,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Break {
    /// With RST, as when a machine on the path fails
    Reset,
    /// With FIN, as when a program ends
    Close,
}

/// The result of one storm.
struct Outcome {
    connections: u64,
    missed: u64,
    refused: u64,
    failed: u64,
    arrived: u64,
    repeated: u64,
    elapsed: Duration,
    cpu: Option<Duration>,
}

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    raise_limit_of_files(options.connections)?;
    let http = Client::new();
    let accounts = if options.place.is_given() { 1 } else { accounts_for(options.connections) };
    let server = options.place.open(&http, accounts).await?;
    let (publisher, texts) = Publisher::of_preferences(&http, &server).await?;
    let missed = options.publications * u64::try_from(texts.len())?;
    if missed + OTHER_EVENTS >= RING_EVENTS {
        return Err(format!("{missed} events are more than a server keeps for a disconnected client").into());
    }
    let connections = options.connections;
    println!(
        "{connections} connections, shared among {accounts} accounts; {missed} events while they are disconnected"
    );
    let mut crowd = Crowd::gather(server.endpoints(options.by == Break::Reset), connections).await?;
    for round in 0..options.rounds {
        println!("bare accept     {}", accepted(options).await?);
        let first = round * options.publications;
        break_all(&mut crowd, &publisher, first..first + options.publications).await?;
        println!("quarterdeck     {}", storm(&mut crowd, server.pid, missed).await?.line());
    }
    Ok(())
}

/// Measures how fast the bare server accepts and greets the same number of sockets.
async fn accepted(options: &Options) -> Result<String, Failure> {
    let bare = Process::bare_broadcast()?;
    let endpoints = vec![bare::endpoint(&bare.address, options.by == Break::Reset)];
    Crowd::gather(endpoints.clone(), options.connections).await?.scatter().await;
    tokio::time::sleep(SETTLE_TIME).await;
    let before = cpu::used(bare.pid())?;
    let crowd = Crowd::gather(endpoints, options.connections).await?;
    let cpu = cpu::used(bare.pid())?.saturating_sub(before);
    let each = micros_each(cpu, options.connections);
    Ok(format!("{:>6} ms until all are in, {each:.0} µs CPU each", crowd.tally.elapsed().as_millis()))
}

/// Breaks all sockets, and publishes while none is open.
async fn break_all(crowd: &mut Crowd, publisher: &Publisher, numbers: Range<u64>) -> Result<(), Failure> {
    tokio::time::sleep(SETTLE_TIME).await;
    crowd.tally.check()?;
    crowd.scatter().await;
    tokio::time::sleep(SETTLE_TIME).await;
    for number in numbers {
        publisher.publish(number).await?;
    }
    tokio::time::sleep(SETTLE_TIME).await;
    Ok(())
}

/// Reopens all sockets, each of which has missed `missed` events.
async fn storm(crowd: &mut Crowd, pid: Option<u32>, missed: u64) -> Result<Outcome, Failure> {
    let (tally, connections) = (crowd.tally.clone(), crowd.len());
    tally.hellos.expect(u64::MAX);
    tally.published.expect(connections * missed);
    let repeated = tally.repeated.load(Ordering::Relaxed);
    let before = pid.map(cpu::used).transpose()?;
    tally.begin();
    crowd.open();
    come_back(&tally.published).await;
    let (elapsed, after) = (tally.elapsed(), pid.map(cpu::used).transpose()?);
    // Events that arrive now are repetitions.
    tokio::time::sleep(SETTLE_TIME).await;
    Ok(Outcome {
        connections,
        missed,
        refused: tally.hellos.value(),
        failed: tally.failed.load(Ordering::Relaxed),
        arrived: tally.published.value(),
        repeated: tally.repeated.load(Ordering::Relaxed) - repeated,
        elapsed,
        cpu: after.zip(before).map(|(after, before)| after.saturating_sub(before)),
    })
}

/// Waits until all sockets have the events that they missed, or no more events arrive.
async fn come_back(published: &Count) {
    let (mut silent_s, mut last) = (0, 0);
    for _ in 0..DELIVERY_TIMEOUT_S {
        let is_over = published.is_reached(Duration::from_secs(1)).await || silent_s >= SILENCE_TIMEOUT_S;
        if is_over {
            return;
        }
        silent_s = if published.value() == last { silent_s + 1 } else { 0 };
        last = published.value();
    }
}

impl Outcome {
    fn line(&self) -> String {
        let Self { connections, missed, refused, failed, arrived, repeated, .. } = self;
        let resumed = connections.saturating_sub(refused + failed);
        let expected = connections * missed;
        let (lost, extra) = (expected.saturating_sub(*arrived), arrived.saturating_sub(expected));
        let cpu = self.cpu.map_or(String::new(), |cpu| format!(", {:.0} µs CPU each", micros_each(cpu, *connections)));
        format!(
            "{:>6} ms until all are back, {resumed} resumed, {refused} refused, {failed} failed, \
             {lost} of {expected} events lost, {extra} too many, {repeated} repeated{cpu}",
            self.elapsed.as_millis()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_greeted_anew_was_refused_and_what_did_not_come_is_lost() {
        let mut outcome = Outcome {
            connections: 100,
            missed: 40,
            refused: 1,
            failed: 2,
            arrived: 3880,
            repeated: 0,
            elapsed: Duration::from_millis(1234),
            cpu: Some(Duration::from_millis(5)),
        };
        let told = "1234 ms until all are back, 97 resumed, 1 refused, 2 failed, \
                    120 of 4000 events lost, 0 too many, 0 repeated";
        assert_eq!(outcome.line().trim_start(), format!("{told}, 50 µs CPU each"));
        outcome.cpu = None;
        assert_eq!(outcome.line().trim_start(), told);
    }
}
