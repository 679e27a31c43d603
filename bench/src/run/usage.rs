//! Processor time, memory and descriptors of the server under test, and the processor time of its PostgreSQL.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Url;
use serde::Serialize;
use tokio_postgres::Client;

use super::slope::steady;
use crate::cpu;

/// The maximum number of samples in a report.
const MAX_SAMPLES: usize = 1440;

/// The state of a server at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    /// After the beginning of the measurement.
    pub(crate) at: Duration,
    pub(crate) cpu: Duration,
    pub(crate) resident_kb: u64,
    /// Absent if the system does not show them.
    pub(crate) descriptors: Option<u64>,
    pub(crate) postgres_cpu: Option<Duration>,
}

/// Reads the state of a process, and of the PostgreSQL sessions of its database.
pub(crate) struct Meter {
    pid: u32,
    postgres: Option<Postgres>,
    from: Instant,
    pub(crate) readings: Vec<Reading>,
    /// True once the process could not be read. Its figures would be those of a part of the measurement.
    has_ended: bool,
}

/// The sessions of a database. A session that ends between two readings counts until the first of them.
struct Postgres {
    client: Client,
    database: String,
    used: BTreeMap<u32, Duration>,
    ended: Duration,
}

impl Meter {
    /// `postgres` is a connection to the PostgreSQL on this machine, with the address of the server's database.
    pub(crate) fn new(pid: u32, postgres: Option<(Client, &Url)>) -> Self {
        let postgres = postgres.map(|(client, url)| Postgres {
            client,
            database: url.path().trim_start_matches('/').to_owned(),
            used: BTreeMap::new(),
            ended: Duration::ZERO,
        });
        Self { pid, postgres, from: Instant::now(), readings: Vec::new(), has_ended: false }
    }

    /// Begins the measurement. Earlier readings do not count.
    pub(crate) async fn begin(&mut self) {
        self.from = Instant::now();
        self.readings.clear();
        self.read().await;
    }

    /// Adds a reading. A server that ended has none, and loses those from before.
    pub(crate) async fn read(&mut self) {
        if self.has_ended {
            return;
        }
        let pid = self.pid;
        // The kernel lists ten thousand descriptors in a few milliseconds, which no request shall wait for.
        let read = tokio::task::spawn_blocking(move || {
            let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok().map(Iterator::count);
            std::io::Result::Ok((cpu::used_in_all(pid)?, cpu::resident_kb(pid)?, descriptors))
        });
        let Ok(Ok((cpu, resident_kb, descriptors))) = read.await else {
            self.has_ended = true;
            self.readings.clear();
            return;
        };
        let postgres_cpu = match &mut self.postgres {
            Some(postgres) => postgres.cpu().await,
            None => None,
        };
        let descriptors = descriptors.and_then(|count| u64::try_from(count).ok());
        self.readings.push(Reading { at: self.from.elapsed(), cpu, resident_kb, descriptors, postgres_cpu });
    }
}

impl Postgres {
    /// Returns the processor time of the sessions so far, or `None` if they cannot be read from this machine.
    async fn cpu(&mut self) -> Option<Duration> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
        let rows = self.client.query(sql, &[&self.database]).await.ok()?;
        let mut now = BTreeMap::new();
        for row in rows {
            let pid = u32::try_from(row.get::<_, i32>(0)).ok()?;
            let title = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            // A session that ended has no title.
            if title.is_empty() {
                continue;
            }
            // Another process has this id here, because the sessions run on another machine or in a container.
            if !is_session(&title, &self.database) {
                return None;
            }
            if let Ok(used) = cpu::used_in_all(pid) {
                now.insert(pid, used);
            }
        }
        let has_sessions = !now.is_empty() || !self.used.is_empty();
        let ended = self.used.iter().filter(|(pid, _)| !now.contains_key(pid)).map(|(_, used)| *used);
        self.ended += ended.sum::<Duration>();
        self.used = now;
        has_sessions.then(|| self.ended + self.used.values().sum::<Duration>())
    }
}

/// Returns true if the title of a process is that of a PostgreSQL session of a database.
fn is_session(title: &[u8], database: &str) -> bool {
    let title = String::from_utf8_lossy(title);
    title.starts_with("postgres:") && title.split([' ', '\0']).any(|word| word == database)
}

/// Checks that a process can be read, so that a run does not end without the figures that it should have.
pub(crate) fn check(pid: u32) -> Result<(), String> {
    let read = || cpu::used_in_all(pid).and(cpu::resident_kb(pid));
    read()
        .map(drop)
        .map_err(|cause| format!("the process {pid} cannot be read: {cause}; use the account that it runs as"))
}

/// Joins the readings of rounds, as if each round followed the one before without a break.
pub(crate) fn joined(rounds: &[Vec<Reading>]) -> Vec<Reading> {
    let mut all: Vec<Reading> = Vec::new();
    for round in rounds {
        let Some(first) = round.first().copied() else { continue };
        let before = all.last().copied().unwrap_or(first);
        let is_first = all.is_empty();
        all.extend(round.iter().skip(usize::from(!is_first)).map(|reading| {
            Reading {
                at: before.at + reading.at.saturating_sub(first.at),
                cpu: before.cpu + reading.cpu.saturating_sub(first.cpu),
                postgres_cpu: Option::zip(before.postgres_cpu, Option::zip(reading.postgres_cpu, first.postgres_cpu))
                    .map(|(before, (now, first))| before + now.saturating_sub(first)),
                ..*reading
            }
        }));
    }
    all
}

/// The use of a server during a run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Usage {
    pub(crate) cpu_ms: u64,
    /// The part of the processor time of this machine's cores.
    pub(crate) cpu_of_machine: f64,
    pub(crate) cpu_us_per_request: Option<f64>,
    pub(crate) postgres_cpu_ms: Option<u64>,
    pub(crate) postgres_cpu_us_per_request: Option<f64>,
    pub(crate) resident_kb_first: u64,
    pub(crate) resident_kb_last: u64,
    pub(crate) resident_kb_max: u64,
    pub(crate) descriptors_max: Option<u64>,
    /// The slopes after the first third of the run, if there are enough samples.
    pub(crate) resident_kb_per_min: Option<f64>,
    pub(crate) descriptors_per_min: Option<f64>,
    pub(crate) samples: Vec<UsageSample>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct UsageSample {
    pub(crate) at_ms: u64,
    /// Cores in use since the previous sample.
    pub(crate) cores: f64,
    pub(crate) resident_kb: u64,
    pub(crate) descriptors: Option<u64>,
}

impl Usage {
    /// Summarizes readings, of which two are needed, for a number of requests with a response.
    pub(crate) fn of(readings: &[Reading], requests: u64, cores: usize) -> Option<Self> {
        let (first, last) = (readings.first()?, readings.last()?);
        let elapsed = last.at.saturating_sub(first.at).as_secs_f64();
        if elapsed <= 0.0 {
            return None;
        }
        let cpu = last.cpu.saturating_sub(first.cpu);
        let postgres = first.postgres_cpu.zip(last.postgres_cpu).map(|(first, last)| last.saturating_sub(first));
        let each = |cpu: Duration| (requests > 0).then(|| crate::report::micros_each(cpu, requests));
        let step = readings.len().div_ceil(MAX_SAMPLES).max(1);
        let some: Vec<_> = readings.iter().rev().step_by(step).rev().collect();
        let samples = some.windows(2).filter_map(|pair| UsageSample::between(pair.first()?, pair.last()?));
        let samples: Vec<_> = samples.collect();
        Some(Self {
            cpu_ms: millis(cpu),
            cpu_of_machine: cpu.as_secs_f64() / elapsed / crate::report::to_float(u64::try_from(cores).ok()?.max(1)),
            cpu_us_per_request: each(cpu),
            postgres_cpu_ms: postgres.map(millis),
            postgres_cpu_us_per_request: postgres.and_then(each),
            resident_kb_first: first.resident_kb,
            resident_kb_last: last.resident_kb,
            resident_kb_max: readings.iter().map(|reading| reading.resident_kb).max().unwrap_or_default(),
            descriptors_max: readings.iter().filter_map(|reading| reading.descriptors).max(),
            resident_kb_per_min: slope(&samples, |sample| Some(sample.resident_kb)),
            descriptors_per_min: slope(&samples, |sample| sample.descriptors),
            samples,
        })
    }
}

impl UsageSample {
    fn between(before: &Reading, now: &Reading) -> Option<Self> {
        let elapsed = now.at.saturating_sub(before.at).as_secs_f64();
        (elapsed > 0.0).then(|| Self {
            at_ms: millis(now.at),
            cores: now.cpu.saturating_sub(before.cpu).as_secs_f64() / elapsed,
            resident_kb: now.resident_kb,
            descriptors: now.descriptors,
        })
    }
}

/// Returns the steady slope of a figure for each minute, if all samples have the figure.
fn slope(samples: &[UsageSample], of: fn(&UsageSample) -> Option<u64>) -> Option<f64> {
    let place = |sample: &UsageSample| {
        Some((crate::report::to_float(sample.at_ms) / 60_000.0, crate::report::to_float(of(sample)?)))
    };
    steady(&samples.iter().map(place).collect::<Option<Vec<_>>>()?)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_use_of_a_run_is_the_difference_of_its_readings() {
        let reading = |seconds, cpu_ms, resident_kb, postgres_ms| Reading {
            at: Duration::from_secs(seconds),
            cpu: Duration::from_millis(cpu_ms),
            resident_kb,
            descriptors: Some(30 + seconds),
            postgres_cpu: Some(Duration::from_millis(postgres_ms)),
        };
        let readings = [reading(0, 500, 1000, 50), reading(1, 700, 3000, 60), reading(4, 1500, 2000, 250)];
        let usage = Usage::of(&readings, 1000, 2).unwrap();
        assert_eq!((usage.cpu_ms, usage.postgres_cpu_ms, usage.resident_kb_max), (1000, Some(200), 3000));
        assert_eq!((usage.resident_kb_first, usage.resident_kb_last, usage.descriptors_max), (1000, 2000, Some(34)));
        assert!((usage.cpu_us_per_request.unwrap() - 1000.0).abs() < 1e-6);
        assert!((usage.cpu_of_machine - 0.125).abs() < 1e-9);
        let cores: Vec<_> =
            usage.samples.iter().map(|sample| (sample.at_ms, (sample.cores * 1000.0).round())).collect();
        assert_eq!(cores, [(1000, 200.0), (4000, 267.0)]);
        assert!(Usage::of(&readings[..1], 1000, 2).is_none() && Usage::of(&[], 1, 1).is_none());
    }

    #[test]
    fn a_process_is_a_session_only_by_its_title() {
        assert!(is_session(b"postgres: bench bench_1 127.0.0.1(5432) idle\0\0", "bench_1"));
        assert!(is_session(b"postgres: main: bench bench_1 [local] idle", "bench_1"));
        for other in ["postgres: bench bench_11 [local] idle", "/usr/bin/app bench_1", "", "postgres: checkpointer"] {
            assert!(!is_session(other.as_bytes(), "bench_1"), "{other}");
        }
    }

    #[test]
    fn a_long_run_has_a_limited_number_of_samples_with_the_last_one() {
        let reading = |second: u32| Reading {
            at: Duration::from_secs(second.into()),
            cpu: Duration::from_millis(second.into()),
            resident_kb: 1,
            descriptors: Some(1),
            postgres_cpu: None,
        };
        let usage = Usage::of(&(0..=86_400).map(reading).collect::<Vec<_>>(), 1, 1).unwrap();
        assert!((1000..=MAX_SAMPLES).contains(&usage.samples.len()), "{}", usage.samples.len());
        assert_eq!(usage.samples.last().unwrap().at_ms, 86_400_000);
    }

    #[test]
    fn a_process_that_cannot_be_read_is_refused() {
        assert!(check(std::process::id()).is_ok() && check(u32::MAX).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn a_slope_is_that_after_the_first_third() {
        let sample = |second: u64| UsageSample {
            at_ms: second * 1000,
            cores: 0.0,
            resident_kb: if second < 10 { second * 1000 } else { 10_000 + second * 5 },
            descriptors: Some(40),
        };
        let samples: Vec<_> = (0..30).map(sample).collect();
        assert!((slope(&samples, |sample| Some(sample.resident_kb)).unwrap() - 300.0).abs() < 1e-6);
        assert!(slope(&samples, |sample| sample.descriptors).unwrap().abs() < 1e-9);
        assert!(slope(&samples[..7], |sample| sample.descriptors).is_none());
        assert!(slope(&samples, |_| None).is_none(), "descriptors that are not known have no slope");
    }

    #[test]
    fn the_use_between_rounds_does_not_count() {
        let reading = |at_s, cpu_ms| Reading {
            at: Duration::from_secs(at_s),
            cpu: Duration::from_millis(cpu_ms),
            resident_kb: 1,
            descriptors: Some(1),
            postgres_cpu: None,
        };
        let all =
            joined(&[vec![reading(0, 100), reading(2, 300)], Vec::new(), vec![reading(0, 5000), reading(3, 5100)]]);
        let joined: Vec<_> = all.iter().map(|one| (one.at.as_secs(), one.cpu.as_millis())).collect();
        assert_eq!(joined, [(0, 100), (2, 300), (5, 400)]);
    }

    #[tokio::test]
    async fn a_process_of_this_machine_can_be_read_and_an_ended_one_has_no_reading() {
        let mut meter = Meter::new(std::process::id(), None);
        meter.begin().await;
        assert!(
            meter.readings.len() == 1 && meter.readings[0].resident_kb > 0 && meter.readings[0].descriptors > Some(2)
        );
        meter.pid = u32::MAX;
        meter.read().await;
        assert!(meter.readings.is_empty(), "the readings before it ended are those of a part of the run");
        meter.pid = std::process::id();
        meter.read().await;
        assert!(meter.readings.is_empty(), "another process has its id");
    }
}
