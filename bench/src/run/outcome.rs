//! The outcome of a run, as reports show it.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::attack::AttackFacts;
use super::engine::{Pace, Plan};
use super::quantile;
use super::recorder::{Figures, Interval, Recorder};
use super::saturation::Saturation;
use super::sockets::SocketFacts;
use super::target::Facts;
use super::usage::Usage;
use super::visits::VisitFacts;
use crate::report::{rate, to_float};

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    pub(crate) target: Facts,
    pub(crate) load: Load,
    pub(crate) measured_ms: u64,
    /// True if the user ended the run early.
    pub(crate) is_interrupted: bool,
    pub(crate) total: Summary,
    /// Requests of the mix that succeeded within the measurement, a second.
    pub(crate) throughput_per_s: f64,
    pub(crate) requests: Vec<Named>,
    pub(crate) intervals: Vec<Point>,
    /// The latency at each of some quantiles, as far as there are enough requests.
    pub(crate) curve: Vec<Quantile>,
    pub(crate) usage: Option<Usage>,
    /// The number of connections that requests opened, those of the warm-up included.
    pub(crate) connections: u64,
    pub(crate) sockets: Option<SocketFacts>,
    /// The sockets that requests of the mix opened, if there are such requests.
    pub(crate) visits: Option<VisitFacts>,
    /// The attackers, if there were some.
    pub(crate) attack: Option<Vec<AttackFacts>>,
    pub(crate) generator: Generator,
    /// Sentences about the accounts of the run.
    pub(crate) accounts: Vec<String>,
}

/// The load of the command line and the mix.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Load {
    pub(crate) kind: &'static str,
    pub(crate) rate_per_s: Option<f64>,
    pub(crate) users: u64,
    /// The number of requests that start at the same moment.
    pub(crate) burst: u64,
    pub(crate) accounts: u64,
    pub(crate) warmup_ms: u64,
    pub(crate) timeout_ms: u64,
    pub(crate) seed: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) is_background: bool,
    pub(crate) summary: Summary,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) failed: u64,
    pub(crate) failed_part: f64,
    pub(crate) bytes: u64,
    /// From the intended start to the end, failed requests included.
    pub(crate) latency: Percentiles,
    /// From the sending to the end, of requests that were sent.
    pub(crate) service: Percentiles,
    pub(crate) failures: Vec<Cause>,
}

/// The latencies at some quantiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "each name ends in its unit")]
pub(crate) struct Percentiles {
    pub(crate) mean_us: f64,
    pub(crate) min_us: u64,
    /// A quantile is absent without enough requests.
    pub(crate) p50_us: Option<u64>,
    pub(crate) p90_us: Option<u64>,
    pub(crate) p95_us: Option<u64>,
    pub(crate) p99_us: Option<u64>,
    pub(crate) p999_us: Option<u64>,
    pub(crate) max_us: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cause {
    pub(crate) status: Option<u16>,
    pub(crate) id: String,
    pub(crate) count: u64,
}

/// The requests that ended in an interval.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Point {
    pub(crate) at_ms: u64,
    /// The rates are absent for an interval that is too short for them.
    pub(crate) rate_per_s: Option<f64>,
    pub(crate) failed_per_s: Option<f64>,
    /// The latencies are absent without enough requests.
    pub(crate) p50_us: Option<u64>,
    pub(crate) p99_us: Option<u64>,
    pub(crate) max_us: Option<u64>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Quantile {
    pub(crate) quantile: f64,
    pub(crate) us: u64,
}

/// The load generator's own state during the run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Generator {
    /// The part of the time that its thread computed or waited for a core.
    pub(crate) busy: f64,
    pub(crate) late_start_p99_us: u64,
    pub(crate) late_start_max_us: u64,
    pub(crate) loop_lag_p99_us: u64,
    pub(crate) loop_lag_max_us: u64,
    /// The reasons why the figures are not those of the server. Without any, the generator was not the bottleneck.
    pub(crate) bottleneck: Vec<String>,
}

/// The quantiles of the curve: dense where latencies grow.
const QUANTILES: [f64; 23] = [
    0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995,
    0.9998, 0.9999, 1.0,
];

impl Load {
    pub(crate) fn new(plan: &Plan, accounts: u64) -> Self {
        let (kind, rate_per_s) = match plan.pace {
            Pace::Open { per_second } => ("open", Some(per_second)),
            Pace::Closed => ("closed", None),
        };
        let (warmup_ms, timeout_ms) = (millis(plan.warmup), millis(plan.timeout));
        Self {
            kind,
            rate_per_s,
            users: plan.users,
            burst: plan.burst,
            accounts,
            warmup_ms,
            timeout_ms,
            seed: plan.seed,
        }
    }
}

impl Outcome {
    pub(crate) fn new(
        target: Facts,
        load: Load,
        names: &[(String, bool)],
        recorder: &Recorder,
        saturation: &Saturation,
        usage: Option<Usage>,
    ) -> Self {
        let requests = names.iter().zip(&recorder.requests).map(|((name, is_background), figures)| Named {
            name: name.clone(),
            is_background: *is_background,
            summary: Summary::of(figures),
        });
        let latency = &recorder.total.latency;
        Self {
            target,
            load,
            measured_ms: millis(recorder.measured()),
            is_interrupted: false,
            total: Summary::of(&recorder.total),
            throughput_per_s: rate(recorder.succeeded_in_time, recorder.measured()),
            requests: requests.collect(),
            intervals: recorder.intervals.iter().map(Point::of).collect(),
            curve: QUANTILES.into_iter().filter_map(|quantile| Quantile::of(latency, quantile)).collect(),
            usage,
            connections: recorder.connections,
            sockets: None,
            visits: None,
            attack: None,
            generator: Generator::of(saturation, recorder),
            accounts: Vec::new(),
        }
    }
}

impl Summary {
    fn of(figures: &Figures) -> Self {
        let failures = figures.failures.iter().map(|(failed, count)| Cause {
            status: failed.status,
            id: failed.id.clone(),
            count: *count,
        });
        let mut failures: Vec<_> = failures.collect();
        failures.sort_by_key(|cause| std::cmp::Reverse(cause.count));
        Self {
            count: figures.count,
            failed: figures.failed(),
            failed_part: to_float(figures.failed()) / to_float(figures.count.max(1)),
            bytes: figures.bytes,
            latency: Percentiles::of(&figures.latency),
            service: Percentiles::of(&figures.service),
            failures,
        }
    }
}

impl Percentiles {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| quantile::at(histogram, quantile);
        Self {
            mean_us: histogram.mean(),
            min_us: histogram.min(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p95_us: at(0.95),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: histogram.max(),
        }
    }
}

impl Cause {
    /// Returns the status and the id of the error, as far as they are known.
    pub(crate) fn text(&self) -> String {
        match (self.status, self.id.as_str()) {
            (Some(status), "") => status.to_string(),
            (Some(status), id) => format!("{status} {id}"),
            (None, id) => id.to_owned(),
        }
    }
}

impl Quantile {
    /// Returns a point of the curve, if enough requests decide it. The last one is the maximum.
    fn of(latency: &Histogram<u64>, quantile: f64) -> Option<Self> {
        let is_max = quantile >= 1.0 && !latency.is_empty();
        let us = if is_max { Some(latency.max()) } else { quantile::at(latency, quantile) };
        us.map(|us| Self { quantile, us })
    }
}

impl Point {
    fn of(interval: &Interval) -> Self {
        Self {
            at_ms: millis(interval.at),
            rate_per_s: (!interval.is_partial).then(|| rate(interval.count, interval.length)),
            failed_per_s: (!interval.is_partial).then(|| rate(interval.failed, interval.length)),
            p50_us: interval.p50_us,
            p99_us: interval.p99_us,
            max_us: interval.max_us,
        }
    }
}

impl Generator {
    fn of(saturation: &Saturation, recorder: &Recorder) -> Self {
        let Saturation { busy, late_start_p99_us, late_start_max_us, loop_lag_p99_us, loop_lag_max_us, .. } =
            *saturation;
        let mut bottleneck = saturation.reasons();
        let local = recorder.requests.iter().flat_map(|figures| &figures.failures);
        let local: u64 = local.filter(|(failed, _)| failed.is_of_generator()).map(|(_, count)| count).sum();
        if local > 0 {
            bottleneck.push(format!("the load generator had no descriptor or no port for {local} requests"));
        }
        Self { busy, late_start_p99_us, late_start_max_us, loop_lag_p99_us, loop_lag_max_us, bottleneck }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
