//! The processor time of the nodes, of PostgreSQL and of the load generator during a measurement.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use reqwest::Url;
use tokio::time::sleep;

use super::nodes::Nodes;
use super::postgres::ServerProcess;
use super::redis;
use crate::cpu;
use crate::database::Databases;
use crate::report::micros_each;

/// The interval between two readings of PostgreSQL's processes. A process that begins and ends in between is not counted.
const READING_INTERVAL: Duration = Duration::from_secs(5);

type Failure = Box<dyn std::error::Error>;

/// Processor time.
#[derive(Debug, Default)]
pub(super) struct Usage {
    pub(super) elapsed: Duration,
    nodes: Vec<Duration>,
    generator: Duration,
    /// `None` if PostgreSQL runs on another machine.
    postgres: Option<PostgresUsage>,
    /// `None` without Redis.
    redis: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct PostgresUsage {
    /// The processes of connections to the database.
    sessions: Duration,
    /// The processes that work for all databases.
    background: Duration,
}

/// Does `work`, and returns its result and the processor time that was used meanwhile.
pub(super) async fn measured<T>(
    databases: &Databases,
    database: &Url,
    nodes: &Nodes,
    work: impl Future<Output = T>,
) -> Result<(T, Usage), Failure> {
    let mut meter = Meter::begin(readings(&databases.processes(database).await?));
    let of_redis = || nodes.redis.as_deref().map(redis::used).transpose();
    let redis_before = of_redis()?;
    let (before, generator, begun) = (of_nodes(nodes)?, cpu::used_in_all(std::process::id())?, Instant::now());
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = sleep(READING_INTERVAL) => meter.note(readings(&databases.processes(database).await?)),
        }
    };
    let elapsed = begun.elapsed();
    let after = of_nodes(nodes)?;
    let generator = cpu::used_in_all(std::process::id())?.saturating_sub(generator);
    meter.note(readings(&databases.processes(database).await?));
    let redis = of_redis()?.zip(redis_before).map(|(after, before)| after.saturating_sub(before));
    let nodes = after.iter().zip(before).map(|(after, before)| after.saturating_sub(before)).collect();
    Ok((done, Usage { elapsed, nodes, generator, postgres: meter.total(), redis }))
}

fn of_nodes(nodes: &Nodes) -> std::io::Result<Vec<Duration>> {
    nodes.pids().into_iter().map(cpu::used_in_all).collect()
}

/// The processor time of a process so far.
struct Reading {
    pid: u32,
    is_session: bool,
    used: Duration,
}

/// Reads the processor time of those processes that are on this machine.
fn readings(processes: &[ServerProcess]) -> Vec<Reading> {
    let reading = |ServerProcess { pid, is_session }: &ServerProcess| {
        let (pid, is_session) = (*pid, *is_session);
        // A PostgreSQL elsewhere has numbers that mean other processes here.
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        let is_postgres = name.trim_end().starts_with("postgres");
        let used = cpu::used(pid).ok().filter(|_| is_postgres)?;
        Some(Reading { pid, is_session, used })
    };
    processes.iter().filter_map(reading).collect()
}

/// Adds up the processor time of processes that begin and end during a measurement.
struct Meter {
    processes: HashMap<u32, Metered>,
}

struct Metered {
    is_session: bool,
    first: Duration,
    last: Duration,
}

impl Meter {
    /// Begins with the processes that are there. Later ones begin with no time used.
    fn begin(readings: Vec<Reading>) -> Self {
        let metered = |Reading { pid, is_session, used }| (pid, Metered { is_session, first: used, last: used });
        Self { processes: readings.into_iter().map(metered).collect() }
    }

    fn note(&mut self, readings: Vec<Reading>) {
        for Reading { pid, is_session, used } in readings {
            let begun = Metered { is_session, first: Duration::ZERO, last: Duration::ZERO };
            self.processes.entry(pid).or_insert(begun).last = used;
        }
    }

    /// Returns the time of all processes; `None` if there are none on this machine.
    fn total(&self) -> Option<PostgresUsage> {
        let sum = |of_sessions: bool| {
            let those = self.processes.values().filter(|process| process.is_session == of_sessions);
            those.map(|process| process.last.saturating_sub(process.first)).sum()
        };
        (!self.processes.is_empty()).then(|| PostgresUsage { sessions: sum(true), background: sum(false) })
    }
}

impl Usage {
    /// Formats the processor time for each thousand of `events`.
    pub(super) fn line_each_thousand(&self, events: u64) -> String {
        // Microseconds for each event are milliseconds for a thousand.
        self.line("CPU ms each 1,000 events", |used| micros_each(used, events))
    }

    /// Formats the processor time for each minute.
    pub(super) fn line_each_minute(&self) -> String {
        let minutes = self.elapsed.as_secs_f64().max(1e-6) / 60.0;
        self.line("CPU ms a minute", |used| used.as_secs_f64() * 1e3 / minutes)
    }

    fn line(&self, unit: &str, figure: impl Fn(Duration) -> f64) -> String {
        let nodes: Vec<String> = self.nodes.iter().map(|used| format!("{:.0}", figure(*used))).collect();
        let postgres =
            self.postgres.map_or("on another machine".to_owned(), |PostgresUsage { sessions, background }| {
                format!("{:.0} and {:.0} in the background", figure(sessions), figure(background))
            });
        let generator = figure(self.generator);
        let redis = self.redis.map(|used| format!(", Redis {:.0}", figure(used))).unwrap_or_default();
        format!("{unit}: nodes {}, PostgreSQL {postgres}{redis}, load generator {generator:.0}", nodes.join(" + "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(pid: u32, is_session: bool, used_ms: u64) -> Reading {
        Reading { pid, is_session, used: Duration::from_millis(used_ms) }
    }

    #[test]
    fn time_before_the_measurement_does_not_count_and_that_of_processes_that_began_or_ended_does() {
        let mut meter = Meter::begin(vec![reading(1, true, 100), reading(2, true, 50), reading(3, false, 1_000)]);
        meter.note(vec![reading(1, true, 130), reading(2, true, 60), reading(4, true, 5)]);
        meter.note(vec![reading(1, true, 140), reading(3, false, 1_007), reading(4, true, 6)]);
        let (sessions, background) = (Duration::from_millis(40 + 10 + 6), Duration::from_millis(7));
        assert_eq!(meter.total(), Some(PostgresUsage { sessions, background }));
        assert_eq!(Meter::begin(Vec::new()).total(), None);
    }

    #[test]
    fn time_is_told_for_a_thousand_events_and_for_a_minute() {
        let postgres = PostgresUsage { sessions: Duration::from_secs(2), background: Duration::from_millis(100) };
        let mut usage = Usage {
            elapsed: Duration::from_secs(30),
            nodes: vec![Duration::from_secs(1), Duration::from_millis(500)],
            generator: Duration::from_millis(250),
            postgres: Some(postgres),
            redis: None,
        };
        assert_eq!(
            usage.line_each_thousand(5_000),
            "CPU ms each 1,000 events: nodes 200 + 100, PostgreSQL 400 and 20 in the background, load generator 50"
        );
        usage.postgres = None;
        usage.redis = Some(Duration::from_millis(600));
        assert_eq!(
            usage.line_each_minute(),
            "CPU ms a minute: nodes 2000 + 1000, PostgreSQL on another machine, Redis 1200, load generator 500"
        );
    }

    #[test]
    fn only_processes_of_postgres_are_read() {
        let own = ServerProcess { pid: std::process::id(), is_session: true };
        assert!(readings(&[own]).is_empty());
    }
}
