//! The only way to wait in a test: with a deadline.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// The timeout of every wait, also on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The time between two checks of a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Waits for `work`. Fails after a minute.
pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    timeout(TIMEOUT, work).await.unwrap_or_else(|_| panic!("it took longer than {TIMEOUT:?}: {what}"))
}

/// Waits until `is_so`. Fails after a minute.
pub async fn until(what: &str, is_so: impl AsyncFnMut() -> bool) {
    until_within(TIMEOUT, what, is_so).await;
}

/// Waits until `is_so`. Fails after `limit`.
pub async fn until_within(limit: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            sleep(POLL_INTERVAL).await;
        }
    };
    timeout(limit, waiting).await.unwrap_or_else(|_| panic!("it took longer than {limit:?}: {what}"));
}

#[tokio::test]
async fn waiting_ends_when_it_is_so() {
    let mut looks = 0;
    let third = async || {
        looks += 1;
        looks == 3
    };
    until("the third look", third).await;
    assert_eq!(looks, 3);
}

#[tokio::test]
#[should_panic(expected = "it took longer than 20ms: it never comes")]
async fn waiting_in_vain_fails() {
    until_within(Duration::from_millis(20), "it never comes", async || false).await;
}

#[tokio::test]
#[should_panic(expected = "it took longer than 20ms: it never answers")]
async fn a_look_that_never_ends_fails_as_well() {
    until_within(Duration::from_millis(20), "it never answers", async || std::future::pending().await).await;
}
