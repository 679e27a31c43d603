//! Time that passes beside a test.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::waiting::until;

/// The part of a time in which a stall of the machine counts as no more.
const SLICE: Duration = Duration::from_millis(100);

/// Lets this time pass for what works beside the test. A stall of the machine counts as one slice of it.
pub async fn pass(duration: Duration) {
    for _ in 0..duration.as_millis() / SLICE.as_millis() {
        sleep(SLICE).await;
    }
}

/// Returns the time that `work` takes, in whole slices. A stall of the machine counts as one slice of it.
pub async fn time_of(work: impl Future<Output = ()>) -> Duration {
    let mut slices = interval(SLICE);
    slices.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once.
    slices.tick().await;
    let (mut work, mut time) = (pin!(work), Duration::ZERO);
    loop {
        tokio::select! {
            biased;
            () = &mut work => return time,
            _ = slices.tick() => time += SLICE,
        }
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the whole thread stands still, as on a machine that stalls")]
async fn the_time_of_work_counts_a_stall_as_one_slice() {
    let stalling = async {
        sleep(SLICE).await;
        std::thread::sleep(8 * SLICE);
        sleep(SLICE).await;
    };
    let stalled = time_of(stalling).await;
    assert!(stalled <= 5 * SLICE, "{stalled:?}");
    until("two slices are counted", async || time_of(sleep(5 * SLICE / 2)).await == 2 * SLICE).await;
}
