//! Time that passes beside a test.

use std::time::Duration;

use tokio::time::sleep;

/// The part of a time in which a stall of the machine counts as no more.
const SLICE: Duration = Duration::from_millis(100);

/// Lets this time pass for what works beside the test. A stall of the machine counts as one slice of it.
pub async fn pass(duration: Duration) {
    for _ in 0..duration.as_millis() / SLICE.as_millis() {
        sleep(SLICE).await;
    }
}
