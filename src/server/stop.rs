//! Stops the server: finishes open requests, stores what waits in memory, closes the database.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use quarterdeck_actors::clock::Uptime;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::pause;
use tracing::{error, info, warn};

use super::tasks::report_refusals;
use super::{Server, StopError};
use crate::web::state::AppState;

/// The time limit for sending a socket's close frame. A client that reads nothing gets no longer.
const CLOSE_FRAME_TIMEOUT: Duration = Duration::from_secs(2);

/// The time in which a client may send another request on a kept-alive connection after the listeners closed, in ms.
const KEEP_ALIVE_WINDOW_MS: i64 = 1_000;

/// The time for which nothing may be in flight before the server counts as idle and ends.
const IDLE_BEFORE_END: Duration = Duration::from_millis(100);

/// The time limit for storing what waits in memory, with retries.
const LAST_WRITES_TIMEOUT: Duration = Duration::from_secs(5);

/// The time limit for announcing the last changes of statuses.
const LAST_STATUSES_TIMEOUT: Duration = Duration::from_secs(2);

impl Server {
    /// Stops the server, with the full drain time.
    pub async fn stop(self) -> Result<(), StopError> {
        self.stop_sooner_on(std::future::pending()).await
    }

    /// Stops the server: readiness returns 503, the listeners close after `DrainSeconds`, requests in flight get
    /// `StopSeconds` to finish, then the database is closed. `hurry` ends the drain early.
    pub async fn stop_sooner_on(self, hurry: impl Future<Output = ()>) -> Result<(), StopError> {
        self.app.limits.traffic.drain();
        let drain = self.app.facts.options.drain_window;
        if !drain.is_zero() {
            info!(
                drain.seconds = drain.as_secs(),
                "draining: requests are still served, and each connection is closed after its response"
            );
            tokio::select! {
                () = tokio::time::sleep(drain) => {}
                () = hurry => info!("the drain ended early"),
            }
        }
        info!(requests.in_flight = self.app.limits.traffic.in_flight(), "stopping");
        let stops: Vec<_> = self.handles.iter().map(|handle| handle.stop(true)).collect();
        self.app.actors.hub.stop(self.app.facts.options.socket_stop_window).await;
        let closed = futures_util::future::join_all(stops);
        tokio::select! {
            _ = closed => {}
            () = quiet(&self.app) => {}
            () = tokio::time::sleep(self.app.facts.options.stop_timeout) => warn!(
                requests.in_flight = self.app.limits.traffic.in_flight(),
                responses.unsent = self.app.limits.traffic.unsent(),
                sockets = sockets(&self.app),
                "requests or WebSockets did not finish within StopSeconds"
            ),
        }
        for ended in self.ended {
            ended.abort();
        }
        self.app.actors.presence.disconnect_all();
        let stored = insist(async || self.app.actors.presence.flush().await).await;
        // Other servers get them only until this one has left.
        let announced = self.app.actors.presence.finish_announcing();
        if stored.is_ok() && pause::timeout(LAST_STATUSES_TIMEOUT, announced).await.is_err() {
            warn!("the last status changes could not be announced to other servers; clients there see them later");
        }
        if let Err(cause) = &stored {
            warn!(error = %cause, "the last status changes could not be stored; other servers of the database store them");
        } else if let Err(cause) = self.app.actors.cluster.leave().await {
            // A server that does not leave counts as dead after a while, and another one removes its sockets.
            warn!(error = %cause, "the other servers could not be told that this one stops");
        }
        report_refusals(&self.app).await;
        let flushed = insist(async || self.app.trail.audit.flush().await).await;
        let waiting = self.app.trail.audit.waiting();
        if let Err(cause) = &flushed {
            error!(%cause, audit.waiting = waiting, "the last audit records could not be stored");
        }
        if let Some(socket) = self.socket {
            let _ = std::fs::remove_file(socket);
        }
        let closed = self.app.db.close().await;
        match &closed {
            Ok(()) => info!("stopped"),
            Err(cause) => error!(%cause, "the database could not be closed"),
        }
        closed?;
        // Drafts that remain are harmless: the next start adds them to the audit trail.
        if flushed.is_err() && waiting > 0 { Err(StopError::Trail(waiting)) } else { Ok(()) }
    }
}

/// Waits until nothing is in flight: no requests, unsent responses, sockets or idle connections.
async fn quiet(app: &AppState) {
    let window_end = Uptime::now().plus_ms(KEEP_ALIVE_WINDOW_MS);
    let last_word = Instant::now() + app.facts.options.socket_stop_window + CLOSE_FRAME_TIMEOUT;
    let mut quiet_since = None;
    loop {
        let now = Uptime::now();
        // A client on a kept-alive connection may be sending its next request now, so these stay open for a moment.
        let is_window_over = now >= window_end;
        let idle = app.limits.connections.end_idle(is_window_over.then(|| now.plus_ms(-KEEP_ALIVE_WINDOW_MS)));
        let in_progress =
            app.limits.traffic.in_flight() + app.limits.traffic.unsent() + app.limits.connections.unsent();
        let is_quiet = in_progress == 0 && idle == 0 && (sockets(app) == 0 || Instant::now() >= last_word);
        match quiet_since.filter(|_| is_quiet) {
            // No counter covers the moment between the end of a body and the kernel's send buffer.
            Some(since) if Instant::now().saturating_duration_since(since) >= IDLE_BEFORE_END => return,
            Some(_) => {}
            None => quiet_since = is_quiet.then(Instant::now),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Returns the number of open sockets.
fn sockets(app: &AppState) -> usize {
    app.actors.hub.counts().sockets.load(Ordering::Relaxed)
}

/// Repeats `attempt` until it succeeds or [`LAST_WRITES_TIMEOUT`] is over, and returns the last outcome.
async fn insist(attempt: impl AsyncFn() -> Result<(), AppError>) -> Result<(), AppError> {
    let last = Instant::now() + LAST_WRITES_TIMEOUT;
    loop {
        let done = attempt().await;
        if done.is_ok() || Instant::now() >= last {
            return done;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
