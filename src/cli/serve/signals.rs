//! The signals of the process, and the end of its owner, which counts as one. Once they are received here, none of them ends the process by its default action.

use std::io;

use futures_util::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use super::owner::Owner;

/// The signals that the server acts on.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// The process or input with which the server ends, if there is one.
    owner: Option<Owner>,
    /// The number of requests to stop so far.
    ends: usize,
}

/// Signals that the server ignores, with their names. Their default action would end the process.
pub(super) struct Unused([(&'static str, Signal); 2]);

impl Signals {
    /// Starts to receive signals. The program does this first, because an earlier signal ends the process.
    pub(super) fn receive() -> io::Result<(Self, Unused)> {
        let signals = Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            owner: None,
            ends: 0,
        };
        let unused = Unused([
            ("SIGUSR1", signal(SignalKind::user_defined1())?),
            ("SIGUSR2", signal(SignalKind::user_defined2())?),
        ]);
        Ok((signals, unused))
    }

    /// Makes the end of `owner` a request to stop.
    pub(super) fn end_with(&mut self, owner: Owner) {
        self.owner = Some(owner);
    }

    /// Waits for SIGTERM, SIGINT or the end of the owner.
    pub(super) async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = end_of(self.owner.as_mut()) => {}
        }
        self.ends += 1;
    }

    /// Waits for SIGTERM, SIGINT or the end of the owner, and calls `reload` at each SIGHUP until then.
    pub(super) async fn end_or_reload(&mut self, reload: impl AsyncFn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                () = end_of(self.owner.as_mut()) => break,
                hangup = self.hangup.recv() => if hangup.is_some() { reload().await },
            }
        }
        self.ends += 1;
    }

    /// Returns true if SIGTERM or SIGINT has arrived, even if no call has waited for it yet.
    pub(super) fn is_end_wanted(&mut self) -> bool {
        let is_pending = |signal: &mut Signal| signal.recv().now_or_never().is_some();
        self.ends > 0 || is_pending(&mut self.terminate) || is_pending(&mut self.interrupt)
    }
}

impl Unused {
    /// Logs each signal that arrives.
    pub(super) async fn log(self) {
        let [first, second] = self.0;
        futures_util::future::join(log(first), log(second)).await;
    }
}

/// Waits for the end of the owner, and forever without one.
async fn end_of(owner: Option<&mut Owner>) {
    match owner {
        Some(owner) => owner.end().await,
        None => std::future::pending().await,
    }
}

async fn log((name, mut signal): (&'static str, Signal)) {
    while signal.recv().await.is_some() {
        info!(signal = name, "signal ignored; SIGHUP reloads the configuration, SIGTERM and SIGINT stop the server");
    }
}
