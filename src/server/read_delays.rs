//! Delays reads of input that arrives in tiny pieces: a read costs the same processor time, however few bytes it gets.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// The length of a delay. Input that arrives meanwhile is read at once afterwards.
const READ_DELAY: Duration = Duration::from_millis(20);

/// The number of reads of one request head before the first delay. Large heads of normal clients need a few reads too.
const UNDELAYED_READS_OF_HEAD: u32 = 16;

/// The delays between the reads of one connection.
#[derive(Default)]
pub(super) struct ReadDelays {
    in_progress: Option<Pin<Box<Sleep>>>,
    reads: u32,
}

impl ReadDelays {
    /// Returns ready when no delay is running.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(timer) = &mut self.in_progress {
            ready!(timer.as_mut().poll(context));
            self.in_progress = None;
        }
        Poll::Ready(())
    }

    /// Starts a delay, unless one is running.
    pub(super) fn begin(&mut self) {
        self.in_progress.get_or_insert_with(|| Box::pin(sleep(READ_DELAY)));
    }

    /// Counts a read of a request head, and starts a delay after [`UNDELAYED_READS_OF_HEAD`] reads.
    pub(super) fn count(&mut self) {
        self.reads += 1;
        if self.reads > UNDELAYED_READS_OF_HEAD {
            self.begin();
        }
    }

    /// Resets the count when a request head is complete.
    pub(super) fn reset(&mut self) {
        self.reads = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;

    use super::*;

    fn is_resting(read_delays: &mut ReadDelays) -> bool {
        poll_fn(|context| read_delays.poll(context)).now_or_never().is_none()
    }

    #[actix_rt::test]
    async fn a_head_in_crumbs_is_read_with_rests_and_one_in_pieces_without() {
        let mut read_delays = ReadDelays::default();
        for _ in 0..UNDELAYED_READS_OF_HEAD {
            read_delays.count();
            assert!(!is_resting(&mut read_delays));
        }
        read_delays.count();
        assert!(is_resting(&mut read_delays));
        poll_fn(|context| read_delays.poll(context)).await;
        assert!(!is_resting(&mut read_delays));
        read_delays.count();
        assert!(is_resting(&mut read_delays), "each further read");
        poll_fn(|context| read_delays.poll(context)).await;
        read_delays.reset();
        read_delays.count();
        assert!(!is_resting(&mut read_delays), "the next head begins anew");
    }
}
