//! The record of a run: latencies in histograms, failures by cause, and both over time.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::failure::Failed;
use super::quantile;
use super::visits::VisitFacts;
use crate::report::rate;

/// The greatest latency that a histogram holds, in microseconds: more than the greatest timeout.
const MAX_LATENCY_US: u64 = 600_000_000;

/// The maximum number of causes that are told apart; further ones are counted together.
const MAX_CAUSES: usize = 50;

/// The maximum number of intervals of a run.
const MAX_INTERVALS: u32 = 240;
const MIN_INTERVAL: Duration = Duration::from_millis(250);

/// One request and its end.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The index of the request in the mix.
    pub(crate) request: usize,
    /// The moment at which the request should have been sent.
    pub(crate) intended: Instant,
    /// The moment at which it was sent, if it was.
    pub(crate) sent: Option<Instant>,
    pub(crate) ended: Instant,
    /// The bytes of the response, or the failure.
    pub(crate) outcome: Result<u64, Failed>,
}

/// The figures of one request of the mix, or of all of them.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) count: u64,
    pub(crate) failures: BTreeMap<Failed, u64>,
    pub(crate) bytes: u64,
    /// Microseconds from the intended start to the end, failed requests included.
    pub(crate) latency: Histogram<u64>,
    /// Microseconds from the sending to the end, of requests that were sent.
    pub(crate) service: Histogram<u64>,
}

/// The figures of the requests that ended in an interval.
#[derive(Debug, Clone)]
pub(crate) struct Interval {
    /// The end of the interval, after the beginning of the measurement.
    pub(crate) at: Duration,
    pub(crate) length: Duration,
    pub(crate) count: u64,
    pub(crate) failed: u64,
    /// Absent without enough requests.
    pub(crate) p50_us: Option<u64>,
    pub(crate) p99_us: Option<u64>,
    pub(crate) max_us: Option<u64>,
    /// True if it is too short for a rate.
    pub(crate) is_partial: bool,
}

/// The record while a run goes on.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
    pub(crate) requests: Vec<Figures>,
    pub(crate) total: Figures,
    /// The number of requests of the mix that succeeded before the end of the measurement.
    pub(crate) succeeded_in_time: u64,
    /// The number of responses before the end of the measurement, those of the background included.
    pub(crate) responses_in_time: u64,
    pub(crate) intervals: Vec<Interval>,
    pub(crate) visits: VisitFacts,
    /// The number of connections that requests opened, those of the warm-up included.
    pub(crate) connections: u64,
    is_background: Vec<bool>,
    interval: Duration,
    current: Histogram<u64>,
    current_failed: u64,
    current_from: Instant,
}

impl Sample {
    /// Returns true if the server answered, with whatever status.
    fn has_response(&self) -> bool {
        self.outcome.as_ref().map_or_else(|failed| failed.status.is_some(), |_| true)
    }
}

impl Recorder {
    /// Records the requests that should start between two moments.
    pub(crate) fn new(from: Instant, length: Duration, is_background: Vec<bool>) -> io::Result<Self> {
        let figures = is_background.iter().map(|_| Figures::new());
        Ok(Self {
            from,
            until: from + length,
            requests: figures.collect::<io::Result<_>>()?,
            total: Figures::new()?,
            succeeded_in_time: 0,
            responses_in_time: 0,
            intervals: Vec::new(),
            visits: VisitFacts::default(),
            connections: 0,
            is_background,
            interval: (length / MAX_INTERVALS).max(MIN_INTERVAL),
            current: histogram()?,
            current_failed: 0,
            current_from: from,
        })
    }

    pub(crate) fn add(&mut self, sample: &Sample) {
        self.add_with(sample, sample.ended - sample.intended);
    }

    /// Adds a request that has no end yet. One of the background counts even if it began before the measurement, so that
    /// a request that hangs all the time is in the report.
    pub(crate) fn add_unfinished(&mut self, sample: &Sample) {
        let is_of_all_the_time = self.is_background(sample.request) && sample.intended < self.from;
        if !is_of_all_the_time {
            self.add(sample);
        } else if let Some(figures) = self.requests.get_mut(sample.request) {
            figures.add(sample, sample.ended - sample.intended);
        }
    }

    /// Adds a request with a latency that is not the time until its end.
    pub(crate) fn add_with(&mut self, sample: &Sample, latency: Duration) {
        let is_measured = sample.intended >= self.from && sample.intended < self.until;
        if !is_measured {
            return;
        }
        if let Some(figures) = self.requests.get_mut(sample.request) {
            figures.add(sample, latency);
        }
        let is_in_time = sample.ended <= self.until;
        self.responses_in_time += u64::from(is_in_time && sample.has_response());
        if self.is_background(sample.request) {
            return;
        }
        self.total.add(sample, latency);
        self.succeeded_in_time += u64::from(is_in_time && sample.outcome.is_ok());
        self.advance(sample.ended);
        self.current.saturating_record(micros(latency));
        self.current_failed += u64::from(sample.outcome.is_err());
    }

    fn is_background(&self, request: usize) -> bool {
        self.is_background.get(request).copied().unwrap_or_default()
    }

    /// Ends the intervals that are over at a moment.
    pub(crate) fn advance(&mut self, now: Instant) {
        while now >= self.current_from + self.interval {
            self.end_interval(self.current_from + self.interval);
        }
    }

    /// Ends the measurement at a moment, if it is not over. Requests that should have started later do not count.
    pub(crate) fn cut(&mut self, now: Instant) {
        self.until = self.until.min(now.max(self.from));
    }

    /// Ends the last interval, which may be shorter.
    pub(crate) fn finish(&mut self, now: Instant) {
        self.advance(now);
        if now > self.current_from && !self.current.is_empty() {
            self.end_interval(now);
        }
    }

    /// Adds a later round of the same requests, as if it followed without a break.
    pub(crate) fn absorb(&mut self, later: &Self) -> io::Result<()> {
        let offset = self.measured();
        for (figures, more) in self.requests.iter_mut().zip(&later.requests) {
            figures.absorb(more)?;
        }
        self.total.absorb(&later.total)?;
        self.succeeded_in_time += later.succeeded_in_time;
        self.responses_in_time += later.responses_in_time;
        self.visits.absorb(later.visits);
        self.connections += later.connections;
        self.intervals.extend(later.intervals.iter().map(|one| Interval { at: one.at + offset, ..one.clone() }));
        self.until += later.measured();
        Ok(())
    }

    /// Returns the facts about sockets with the rate of the busiest interval.
    pub(crate) fn visits(&self) -> VisitFacts {
        let rates =
            self.intervals.iter().filter(|one| !one.is_partial).map(|one| rate(one.count - one.failed, one.length));
        VisitFacts { busiest_per_s: rates.fold(0.0, f64::max), ..self.visits }
    }

    pub(crate) fn measured(&self) -> Duration {
        self.until - self.from
    }

    fn end_interval(&mut self, end: Instant) {
        let current = &self.current;
        self.intervals.push(Interval {
            at: end - self.from,
            length: end - self.current_from,
            count: current.len(),
            failed: self.current_failed,
            p50_us: quantile::at(current, 0.5),
            p99_us: quantile::at(current, 0.99),
            max_us: (!current.is_empty()).then(|| current.max()),
            is_partial: (end - self.current_from) * 2 < self.interval,
        });
        self.current.reset();
        self.current_failed = 0;
        self.current_from = end;
    }
}

impl Figures {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { count: 0, failures: BTreeMap::new(), bytes: 0, latency: histogram()?, service: histogram()? })
    }

    fn add(&mut self, sample: &Sample, latency: Duration) {
        self.count += 1;
        self.latency.saturating_record(micros(latency));
        if let Some(sent) = sample.sent {
            self.service.saturating_record(micros(sample.ended - sent));
        }
        match &sample.outcome {
            Ok(bytes) => self.bytes += bytes,
            Err(failed) => self.fail(failed, 1),
        }
    }

    fn absorb(&mut self, later: &Self) -> io::Result<()> {
        self.count += later.count;
        self.bytes += later.bytes;
        self.latency.add(&later.latency).map_err(io::Error::other)?;
        self.service.add(&later.service).map_err(io::Error::other)?;
        for (failed, count) in &later.failures {
            self.fail(failed, *count);
        }
        Ok(())
    }

    fn fail(&mut self, failed: &Failed, times: u64) {
        if let Some(count) = self.failures.get_mut(failed) {
            *count += times;
            return;
        }
        let is_full = self.failures.len() >= MAX_CAUSES;
        let cause = if is_full { Failed { status: None, id: "others".to_owned() } } else { failed.clone() };
        *self.failures.entry(cause).or_default() += times;
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new_with_max(MAX_LATENCY_US, 3).map_err(io::Error::other)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn sample(from: Instant, at_ms: u32, latency_ms: u32, outcome: Result<u64, Failed>) -> Sample {
        let intended = from + MS * at_ms;
        Sample { request: 0, intended, sent: Some(intended + MS), ended: intended + MS * latency_ms, outcome }
    }

    #[test]
    fn only_requests_that_should_start_in_the_measurement_count() {
        let before = Instant::now();
        let from = before + MS * 100;
        let mut recorder = Recorder::new(from, MS * 1000, vec![false, true]).unwrap();
        recorder.add(&Sample { intended: before, ..sample(from, 0, 5, Ok(1)) });
        recorder.add(&sample(from, 0, 5, Ok(10)));
        recorder.add(&sample(from, 999, 50, Ok(10)));
        recorder.add(&sample(from, 1000, 5, Ok(1)));
        recorder.add(&Sample { request: 1, ..sample(from, 500, 5, Ok(1)) });
        assert_eq!((recorder.total.count, recorder.total.bytes, recorder.succeeded_in_time), (2, 20, 1));
        assert_eq!((recorder.requests[0].count, recorder.requests[1].count), (2, 1));
        assert_eq!(recorder.total.latency.max() / 1000, 50);
    }

    #[test]
    fn only_responses_and_requests_that_were_sent_have_a_part_in_the_figures_of_the_server() {
        let from = Instant::now();
        let mut recorder = Recorder::new(from, MS * 1000, vec![false, true]).unwrap();
        recorder.add(&sample(from, 0, 5, Ok(1)));
        recorder.add(&sample(from, 0, 5, Err(Failed::response(503, b""))));
        recorder.add(&sample(from, 0, 5, Err(Failed::timeout())));
        recorder.add(&Sample { sent: None, ..sample(from, 0, 5, Err(Failed::not_sent())) });
        recorder.add_with(&Sample { sent: None, ..sample(from, 10, 0, Err(Failed::not_sent())) }, MS * 900);
        recorder.add(&Sample { request: 1, ..sample(from, 0, 5, Ok(1)) });
        assert_eq!((recorder.succeeded_in_time, recorder.responses_in_time), (1, 3));
        assert_eq!((recorder.total.count, recorder.total.service.len()), (5, 3));
        assert_eq!((recorder.total.latency.max() / 1000, recorder.intervals.len()), (900, 0));
    }

    #[test]
    fn a_request_of_the_background_that_hangs_since_before_the_measurement_counts() {
        let before = Instant::now();
        let mut recorder = Recorder::new(before + MS * 100, MS * 1000, vec![false, true]).unwrap();
        let hanging = sample(before, 0, 1200, Err(Failed::unfinished()));
        recorder.add_unfinished(&Sample { request: 1, ..hanging });
        recorder.add_unfinished(&sample(before, 0, 1200, Err(Failed::unfinished())));
        assert_eq!((recorder.requests[1].count, recorder.requests[0].count, recorder.total.count), (1, 0, 0));
        assert_eq!(recorder.requests[1].latency.max() / 1000, 1200);
    }

    #[test]
    fn an_interval_has_the_requests_that_ended_in_it() {
        let from = Instant::now();
        let mut recorder = Recorder::new(from, MS * 1000, vec![false]).unwrap();
        for (at, latency) in [(0, 10), (100, 20), (240, 300), (600, 5)] {
            recorder.add(&sample(from, at, latency, Ok(0)));
        }
        recorder.add(&sample(from, 610, 5, Err(Failed::timeout())));
        recorder.finish(from + MS * 800);
        let counts: Vec<_> = recorder.intervals.iter().map(|interval| (interval.count, interval.failed)).collect();
        assert_eq!(counts, [(2, 0), (0, 0), (3, 1)]);
        assert_eq!(recorder.intervals[2].at, MS * 750);
        let max: Vec<_> = recorder.intervals.iter().map(|interval| interval.max_us.map(|us| us / 10_000)).collect();
        assert_eq!(max, [Some(2), None, Some(30)], "an interval without requests has no latency");
        assert!(recorder.intervals[0].p50_us.is_some() && recorder.intervals[0].p99_us.is_none());
    }

    #[test]
    fn a_last_interval_of_less_than_half_the_length_has_no_rate() {
        let from = Instant::now();
        let partial = |end_ms: u32| {
            let mut recorder = Recorder::new(from, MS * 1000, vec![false]).unwrap();
            recorder.add(&sample(from, 250, 5, Ok(0)));
            recorder.finish(from + MS * end_ms);
            recorder.intervals.iter().map(|interval| interval.is_partial).collect::<Vec<_>>()
        };
        assert_eq!(partial(260), [false, true]);
        assert_eq!(partial(400), [false, false]);
    }

    #[test]
    fn a_run_that_is_cut_counts_until_then() {
        let from = Instant::now();
        let mut recorder = Recorder::new(from, MS * 1000, vec![false]).unwrap();
        recorder.cut(from + MS * 300);
        recorder.add(&sample(from, 200, 5, Ok(0)));
        recorder.add(&sample(from, 400, 5, Ok(0)));
        assert_eq!((recorder.total.count, recorder.measured()), (1, MS * 300));
    }

    #[test]
    fn a_later_round_follows_the_first_without_a_break() {
        let from = Instant::now();
        let round = |latency| {
            let mut recorder = Recorder::new(from, MS * 1000, vec![false]).unwrap();
            recorder.add(&sample(from, 0, latency, Err(Failed::timeout())));
            recorder.finish(from + MS * 1000);
            recorder
        };
        let mut all = round(10);
        all.absorb(&round(20)).unwrap();
        assert_eq!((all.total.count, all.total.failed(), all.measured()), (2, 2, MS * 2000));
        let ends: Vec<_> = all.intervals.iter().filter(|one| one.count > 0).map(|one| one.at).collect();
        assert_eq!(ends, [MS * 250, MS * 1250]);
    }

    #[test]
    fn the_number_of_causes_is_limited() {
        let mut figures = Figures::new().unwrap();
        for number in 0..100 {
            figures.fail(&Failed { status: Some(400), id: format!("id{number}") }, 1);
        }
        assert_eq!((figures.failures.len(), figures.failed()), (MAX_CAUSES + 1, 100));
    }
}
