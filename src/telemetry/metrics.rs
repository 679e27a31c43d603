//! The metrics for Prometheus: events are counted here, and states are read at the time of a scrape.
//!
//! Names with the prefix `mattermost_` mean the same as in Mattermost, so that its dashboards keep working.
//! Labels contain routes of the table, statuses and our own names, never text from clients.
//! Each server has its own registry, because one process can run several servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::http::StatusCode;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, IntCounter, Registry};
use quarterdeck_actors::clock::Uptime;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::supervisor::Vitals;

use super::durations::Durations;
use super::samples::{Levels, Samples, Totals};

/// The histogram buckets of actors' message times, in seconds. The last one is the deadline of a message.
const OF_MESSAGES: [f64; 12] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 15.0];

/// The counters and histograms of a server.
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounter,
    errors: IntCounter,
    times: HistogramVec,
    messages: HistogramVec,
    logins: IntCounter,
    failed_logins: IntCounter,
    /// Requests answered with a status of 500 or above, and the time of all responses. The histogram above has a series
    /// for each route, so its sums would have to be added up.
    server_errors: AtomicU64,
    durations: Durations,
    /// The figures of the last hour.
    pub(crate) samples: Samples,
}

impl Metrics {
    pub(crate) fn new() -> Result<Self, AppError> {
        Self::registered().or_fail("app.metrics.app_error")
    }

    fn registered() -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| IntCounter::new(name, help);
        let times = HistogramOpts::new("mattermost_api_time", "Seconds from receiving a request until it is answered.");
        let messages = HistogramOpts::new(
            "quarterdeck_actor_message_seconds",
            "Seconds from sending a message to an actor until it is handled, including the wait in the mailbox.",
        );
        let metrics = Self {
            registry: Registry::new(),
            requests: counter("mattermost_http_requests_total", "Requests answered.")?,
            errors: counter("mattermost_http_errors_total", "Requests answered with a status of 400 or above.")?,
            times: HistogramVec::new(times, &["handler", "method", "status_code"])?,
            messages: HistogramVec::new(messages.buckets(OF_MESSAGES.to_vec()), &["actor"])?,
            logins: counter("mattermost_login_logins_total", "Logins that succeeded.")?,
            failed_logins: counter("mattermost_login_logins_fail_total", "Logins that were refused.")?,
            server_errors: AtomicU64::new(0),
            durations: Durations::new(),
            samples: Samples::since(Uptime::now()),
        };
        let Self { registry, requests, errors, times, messages, logins, failed_logins, .. } = &metrics;
        for counter in [requests, errors, logins, failed_logins] {
            registry.register(Box::new(counter.clone()))?;
        }
        registry.register(Box::new(times.clone()))?;
        registry.register(Box::new(messages.clone()))?;
        let process = i32::try_from(std::process::id()).unwrap_or_default();
        registry.register(Box::new(ProcessCollector::new(process, "mattermost")))?;
        Ok(metrics)
    }

    /// Measures the message times of these actors from now on.
    pub(crate) fn follow(&self, actors: &[Arc<Vitals>]) {
        for actor in actors {
            let times = self.messages.with_label_values(&[actor.name]);
            actor.time_with(move |took| times.observe(took.as_secs_f64()));
        }
    }

    /// Counts an answered request. `None` stands for paths without a route.
    pub(crate) fn answered(&self, route: Option<(&str, &str)>, status: StatusCode, took: Duration) {
        self.requests.inc();
        if status.is_client_error() || status.is_server_error() {
            self.errors.inc();
        }
        if status.is_server_error() {
            self.server_errors.fetch_add(1, Ordering::Relaxed);
        }
        // A WebSocket stays open for hours after its upgrade, so its time is left out.
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let (path, method) = route.unwrap_or(("other", "other"));
            self.times.with_label_values(&[path, method, status.as_str()]).observe(took.as_secs_f64());
            self.durations.add(took);
        }
    }

    /// Adds a sample with what was counted since the last one.
    pub(crate) fn sample(&self, levels: Levels) {
        let totals = Totals {
            requests: self.requests.get(),
            errors: self.errors.get(),
            server_errors: self.server_errors.load(Ordering::Relaxed),
            times: self.durations.counted(),
        };
        self.samples.add(totals, levels, Uptime::now());
    }

    /// Returns the current values.
    pub(crate) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// Counts a login attempt as successful or failed.
    pub(crate) fn login(&self, is_admitted: bool) {
        if is_admitted { self.logins.inc() } else { self.failed_logins.inc() }
    }
}
