//! The end of a server: what is under way is finished, what waits in memory is stored, the database is closed.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use quarterdeck_actors::clock::Uptime;
use quarterdeck_actors::error::AppError;
use tracing::{error, info, warn};

use super::tasks::report_refusals;
use super::{Server, StopError};
use crate::web::state::AppState;

/// How long a socket may take to pass its close frame on; one that reads nothing is not waited for any longer.
const LAST_WORD: Duration = Duration::from_secs(2);

/// The time that a kept connection has for another request once the listeners are closed, in milliseconds.
const KEPT_WINDOW_MS: i64 = 1_000;

/// How long nothing must be under way before the server ends.
const SETTLED: Duration = Duration::from_millis(100);

/// How long what waits in memory is tried to be stored at a stop.
const LAST_WRITES: Duration = Duration::from_secs(5);

impl Server {
    /// Stops, and takes its time for it.
    pub async fn stop(self) -> Result<(), StopError> {
        self.stop_sooner_on(std::future::pending()).await
    }

    /// Stops: readiness turns 503, the listeners close after `DrainSeconds`, what is under way is finished within
    /// `StopSeconds`, the database is closed. `hurry` ends the drain early.
    pub async fn stop_sooner_on(self, hurry: impl Future<Output = ()>) -> Result<(), StopError> {
        self.app.limits.traffic.drain();
        let drain = self.app.facts.options.drain_window();
        if !drain.is_zero() {
            info!(drain.seconds = drain.as_secs(), "draining: requests are served, and their connections closed");
            tokio::select! {
                () = tokio::time::sleep(drain) => {}
                () = hurry => info!("the drain was cut short"),
            }
        }
        info!(requests.in_flight = self.app.limits.traffic.in_flight(), "stopping");
        let stops: Vec<_> = self.handles.iter().map(|handle| handle.stop(true)).collect();
        self.app.actors.hub.stop(self.app.facts.options.socket_stop_window()).await;
        let closed = futures_util::future::join_all(stops);
        tokio::select! {
            _ = closed => {}
            () = quiet(&self.app) => {}
            () = tokio::time::sleep(self.app.facts.options.stop_limit()) => warn!(
                requests.in_flight = self.app.limits.traffic.in_flight(),
                responses.unsent = self.app.limits.traffic.unsent(),
                sockets = sockets(&self.app),
                "requests and sockets did not finish in time"
            ),
        }
        for ended in self.ended {
            ended.abort();
        }
        self.app.actors.presence.disconnect_all();
        if let Err(cause) = insist(async || self.app.actors.presence.flush().await).await {
            warn!(error = %cause, "the last changes of statuses are not stored");
        }
        report_refusals(&self.app).await;
        let flushed = insist(async || self.app.trail.audit.flush().await).await;
        let waiting = self.app.trail.audit.waiting();
        if let Err(cause) = &flushed {
            error!(%cause, audit.waiting = waiting, "the end of the audit trail was not stored");
        }
        if let Some(socket) = self.socket {
            let _ = std::fs::remove_file(socket);
        }
        let closed = self.app.db.close().await;
        match &closed {
            Ok(()) => info!("stopped"),
            Err(cause) => error!(%cause, "the database was not closed"),
        }
        closed?;
        // Drafts that were not deleted are harmless: the next start gives them their places.
        if flushed.is_err() && waiting > 0 { Err(StopError::Trail(waiting)) } else { Ok(()) }
    }
}

/// Waits until nothing is under way any more: requests, answers that are being sent, sockets, kept connections.
async fn quiet(app: &AppState) {
    let window_end = Uptime::now().plus_ms(KEPT_WINDOW_MS);
    let last_word = Instant::now() + app.facts.options.socket_stop_window() + LAST_WORD;
    let mut quiet_since = None;
    loop {
        let now = Uptime::now();
        // A client that keeps its connection may be sending its next request just now.
        let is_window_over = now >= window_end;
        let idle = app.limits.connections.end_idle(is_window_over.then(|| now.plus_ms(-KEPT_WINDOW_MS)));
        let under_way = app.limits.traffic.in_flight() + app.limits.traffic.unsent() + app.limits.connections.unsent();
        let is_quiet = under_way == 0 && idle == 0 && (sockets(app) == 0 || Instant::now() >= last_word);
        match quiet_since.filter(|_| is_quiet) {
            // Between the end of a body and its way into the kernel nothing counts it.
            Some(since) if Instant::now().saturating_duration_since(since) >= SETTLED => return,
            Some(_) => {}
            None => quiet_since = is_quiet.then(Instant::now),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The number of open sockets.
fn sockets(app: &AppState) -> usize {
    app.actors.hub.counts().sockets.load(Ordering::Relaxed)
}

/// Tries until it is done, for as long as a stop may wait for the store.
async fn insist(attempt: impl AsyncFn() -> Result<(), AppError>) -> Result<(), AppError> {
    let last = Instant::now() + LAST_WRITES;
    loop {
        let done = attempt().await;
        if done.is_ok() || Instant::now() >= last {
            return done;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
