//! The time for which a test's machine stands still, or gives its processor to other programs.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::waiting::until;

/// The interval of the ticks whose delay is measured.
const TICK: Duration = Duration::from_millis(5);

/// The maximum of the time that is not counted, however long the machine stood still.
const MAX_STALL: Duration = Duration::from_secs(20);

/// The time that some work took.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// The whole time.
    pub time: Duration,
    /// The part of it in which the machine may have stood still: by how much the ticks beside the work came late, or for how
    /// long the thread of the work waited for a processor, whichever is more.
    pub stall: Duration,
}

impl Taken {
    /// Returns true if the work took less than `limit` on a machine that had not stood still.
    pub fn is_within(self, limit: Duration) -> bool {
        self.time.saturating_sub(self.stall.min(MAX_STALL)) < limit
    }
}

/// Measures the time of `work`, and the stalls of the machine beside it.
pub async fn measured(work: impl Future<Output = ()>) -> Taken {
    let (begun, waited) = (Instant::now(), waited_for_processor());
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut work, mut late, mut last) = (pin!(work), Duration::ZERO, begun);
    loop {
        let is_over = tokio::select! {
            biased;
            () = &mut work => true,
            _ = ticks.tick() => false,
        };
        let now = Instant::now();
        late += now.duration_since(last).saturating_sub(TICK);
        last = now;
        if is_over {
            let waited = waited_for_processor().saturating_sub(waited);
            let time = now.duration_since(begun);
            return Taken { time, stall: late.max(waited).min(time) };
        }
    }
}

/// Returns the time for which this thread could have run and had no processor.
fn waited_for_processor() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(told.split(' ').nth(1).and_then(|waited| waited.parse().ok()).unwrap_or_default())
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the whole thread stands still, as on a machine that stalls")]
async fn a_stall_is_not_counted_and_slow_work_is() {
    const LIMIT: Duration = Duration::from_millis(400);
    let stalled = measured(async { std::thread::sleep(2 * LIMIT) }).await;
    assert!(stalled.time >= 2 * LIMIT && stalled.is_within(LIMIT), "{stalled:?}");
    until("slow work takes too long", async || !measured(sleep(2 * LIMIT)).await.is_within(LIMIT)).await;
}

#[test]
fn a_stall_without_end_does_not_excuse_slow_work() {
    let taken = |time_s, stall_s| Taken { time: Duration::from_secs(time_s), stall: Duration::from_secs(stall_s) };
    let limit = Duration::from_secs(1);
    assert!(taken(3, 3).is_within(limit) && !taken(3, 1).is_within(limit));
    assert!(!taken(60, 60).is_within(limit));
}
