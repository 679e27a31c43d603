//! Ctrl-C, SIGTERM and SIGHUP end a run with a report of what there is. A second signal ends what the first one waits for.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The error of a run that a signal ended before its load.
pub(crate) const ENDED_BY_USER: &str = "the user ended the run before its load";

/// The number of signals so far.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(watch::Receiver<u32>);

impl Interrupt {
    /// Catches the signals from now on.
    pub(crate) fn listen() -> io::Result<Self> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut hangup = signal(SignalKind::hangup())?;
        let (tell, told) = watch::channel(0_u32);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                    () = tell.closed() => return,
                }
                tell.send_modify(|count| *count = count.saturating_add(1));
            }
        });
        Ok(Self(told))
    }

    /// An interrupt whose signals a test sends.
    #[cfg(test)]
    pub(super) fn of_test() -> (watch::Sender<u32>, Self) {
        let (tell, told) = watch::channel(0);
        (tell, Self(told))
    }

    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Returns true after a second signal.
    pub(crate) fn is_insisted(&self) -> bool {
        *self.0.borrow() > 1
    }

    /// Waits for a signal.
    pub(crate) async fn requested(&mut self) {
        self.at_least(1).await;
    }

    /// Waits for a second signal.
    pub(crate) async fn insisted(&mut self) {
        self.at_least(2).await;
    }

    async fn at_least(&mut self, signals: u32) {
        let ended = self.0.wait_for(|count| *count >= signals).await.is_err();
        if ended {
            std::future::pending::<()>().await;
        }
    }
}
