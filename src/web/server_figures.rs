//! The figures of this server over the last hour, as the API and the WebSocket show them.

use quarterdeck_actors::clock::Uptime;
use serde::Serialize;
use utoipa::ToSchema;

use crate::telemetry::samples::{SAMPLE_INTERVAL, Sample};
use crate::web::state::AppState;

/// Figures of the server that sends them. Each list has one entry for each sample, the oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = ServerFigures)]
pub(crate) struct ServerFigures {
    /// The id of this run of the server, a new one for each start.
    node_id: String,
    /// The name of this server: that of its host.
    node_name: String,
    /// The time between two samples, in milliseconds.
    interval_ms: u64,
    /// The present time on the clock of `at_ms`, so that the difference is the age of a sample. No step of the wall clock
    /// changes this clock.
    now_ms: i64,
    /// The restarts of the parts of this server since its start.
    actors: Vec<ActorFigures>,
    /// The numbers of the samples, counted from the start of the server.
    numbers: Vec<u64>,
    /// The ends of the intervals.
    at_ms: Vec<i64>,
    /// The lengths of the intervals, in milliseconds.
    covered_ms: Vec<i64>,
    /// Requests that were answered in the interval.
    requests: Vec<u64>,
    /// Those of them that were answered with a status of 400 or above.
    errors: Vec<u64>,
    /// Those of them that were answered with a status of 500 or above.
    server_errors: Vec<u64>,
    /// The mean response time, in microseconds; null without a request.
    mean_us: Vec<Option<u64>>,
    /// The response time that 95 % of the responses did not exceed, in microseconds; null without a request.
    slow_us: Vec<Option<u64>>,
    /// The memory of the process at the end of the interval, in bytes; null if it is unknown.
    memory_bytes: Vec<Option<u64>>,
    /// Clients that are connected over a WebSocket at the end of the interval.
    websockets: Vec<u64>,
    /// Open connections to the database at the end of the interval.
    database_connections: Vec<u64>,
}

/// An actor, which is a part of the server that is started again after a failure.
#[derive(Serialize, ToSchema)]
#[schema(as = ActorFigures)]
struct ActorFigures {
    /// The name of the actor.
    name: &'static str,
    /// The number of restarts.
    restarts: u64,
}

impl ServerFigures {
    /// Returns the samples with a number above `known`.
    pub(crate) fn after(known: u64, app: &AppState) -> Self {
        let (now, (node_id, node_name)) = (Uptime::now(), app.node());
        let samples = app.metrics.samples.after(known, now);
        let vitals = app.vitals();
        let actors = vitals.iter().map(|vitals| ActorFigures { name: vitals.name, restarts: vitals.restarts() });
        Self {
            node_id,
            node_name,
            interval_ms: u64::try_from(SAMPLE_INTERVAL.as_millis()).unwrap_or(u64::MAX),
            now_ms: now.ms(),
            actors: actors.collect(),
            numbers: each(&samples, |sample| sample.number),
            at_ms: each(&samples, |sample| sample.at.ms()),
            covered_ms: each(&samples, |sample| sample.covered_ms),
            requests: each(&samples, |sample| sample.requests),
            errors: each(&samples, |sample| sample.errors),
            server_errors: each(&samples, |sample| sample.server_errors),
            mean_us: each(&samples, |sample| sample.mean_us),
            slow_us: each(&samples, |sample| sample.slow_us),
            memory_bytes: each(&samples, |sample| sample.levels.memory_bytes),
            websockets: each(&samples, |sample| sample.levels.websockets),
            database_connections: each(&samples, |sample| sample.levels.database_connections),
        }
    }
}

fn each<T>(samples: &[Sample], figure: impl Fn(&Sample) -> T) -> Vec<T> {
    samples.iter().map(figure).collect()
}
