//! The signals that reach the server. From the moment they are received, none ends the process by itself.

use std::io;

use futures_util::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

/// The signals that say something to the server.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// The ends that were asked for so far.
    ends: usize,
}

/// Signals without a meaning here, with their names. By default they would end the process.
pub(super) struct Unused([(&'static str, Signal); 2]);

impl Signals {
    /// Begins to receive signals. The first thing that the program does: one that comes earlier ends it.
    pub(super) fn receive() -> io::Result<(Self, Unused)> {
        let signals = Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            ends: 0,
        };
        let unused = Unused([
            ("SIGUSR1", signal(SignalKind::user_defined1())?),
            ("SIGUSR2", signal(SignalKind::user_defined2())?),
        ]);
        Ok((signals, unused))
    }

    /// Waits until SIGTERM or SIGINT asks for an end.
    pub(super) async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        self.ends += 1;
    }

    /// Waits for SIGTERM or SIGINT, and calls `reload` at each SIGHUP until then.
    pub(super) async fn end_or_reload(&mut self, reload: impl AsyncFn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                hangup = self.hangup.recv() => if hangup.is_some() { reload().await },
            }
        }
        self.ends += 1;
    }

    /// Returns true if an end was asked for, also if nobody has waited for it yet.
    pub(super) fn is_end_wanted(&mut self) -> bool {
        let is_pending = |signal: &mut Signal| signal.recv().now_or_never().is_some();
        self.ends > 0 || is_pending(&mut self.terminate) || is_pending(&mut self.interrupt)
    }
}

impl Unused {
    /// Logs each of them.
    pub(super) async fn log(self) {
        let [first, second] = self.0;
        futures_util::future::join(log(first), log(second)).await;
    }
}

async fn log((name, mut signal): (&'static str, Signal)) {
    while signal.recv().await.is_some() {
        info!(signal = name, "a signal came that changes nothing; SIGHUP reloads, SIGTERM and SIGINT stop");
    }
}
