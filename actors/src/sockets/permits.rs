//! The limits for connections that move to this node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::shared_pool::{self, SharedPool};

/// The maximum number of connections that move to this node at once. Others wait.
const MAX_MOVES: usize = 16;

/// The maximum number of a user's connections that move or wait. The clients of others get new greetings.
const MAX_MOVES_OF_USER: usize = 64;

/// The maximum number of moves of one user that fail within `FAILURES_WINDOW`. After them the user's clients get new
/// greetings until it is over, because each attempt may read many messages.
const MAX_FAILURES: u32 = 8;

/// The time for which failures of a user are counted.
const FAILURES_WINDOW: Duration = Duration::from_secs(10);

/// The maximum number of users whose failures are counted.
const MAX_FAILING_USERS: usize = 10_000;

/// The permits of the node and of each user, one at a time.
#[derive(Debug, Clone)]
pub(super) struct Permits {
    pool: Arc<SharedPool>,
    failures: Arc<Mutex<HashMap<String, Failures>>>,
}

/// The moves of a user that failed since a moment.
#[derive(Debug)]
struct Failures {
    since: Instant,
    count: u32,
}

impl Default for Permits {
    fn default() -> Self {
        Self { pool: Arc::new(SharedPool::new(MAX_MOVES, 1, MAX_MOVES_OF_USER)), failures: Arc::default() }
    }
}

/// The permit to move one connection. The move has failed if this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    _of_pool: shared_pool::Permit,
    permits: Permits,
    user_id: String,
    has_succeeded: bool,
}

impl Permits {
    /// Waits for a permit. Returns `None` if there is none for too long, if too many connections of the user wait, or if
    /// too many of their moves failed.
    pub(super) async fn take(&self, user_id: &str) -> Option<Permit> {
        let of_pool = self.pool.permit(user_id).await.ok()?;
        // The moves before this one may have failed while it waited.
        let has_failed_often = self.has_failed_often(user_id);
        let (permits, user_id) = (self.clone(), user_id.to_owned());
        (!has_failed_often).then_some(Permit { _of_pool: of_pool, permits, user_id, has_succeeded: false })
    }

    fn has_failed_often(&self, user_id: &str) -> bool {
        lock(&self.failures).get(user_id).is_some_and(|failures| failures.count >= MAX_FAILURES && failures.is_recent())
    }

    fn note_failure(&self, user_id: &str) {
        let mut failures = lock(&self.failures);
        if failures.len() >= MAX_FAILING_USERS {
            failures.retain(|_, failures| failures.is_recent());
        }
        if failures.len() >= MAX_FAILING_USERS {
            return;
        }
        let of_user = failures.entry(user_id.to_owned()).or_insert_with(Failures::new);
        if !of_user.is_recent() {
            *of_user = Failures::new();
        }
        of_user.count += 1;
    }
}

impl Failures {
    fn new() -> Self {
        Self { since: Instant::now(), count: 0 }
    }

    fn is_recent(&self) -> bool {
        self.since.elapsed() < FAILURES_WINDOW
    }
}

impl Permit {
    /// Notes that the connection has moved.
    pub(super) fn succeed(mut self) {
        self.has_succeeded = true;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.has_succeeded {
            self.permits.note_failure(&self.user_id);
        }
    }
}

fn lock<T>(map: &Mutex<T>) -> MutexGuard<'_, T> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_user_moves_one_connection_at_a_time_and_a_node_a_few() {
        let permits = Permits::default();
        let anna = permits.take("anna").await.unwrap();
        assert!(permits.take("anna").now_or_never().is_none());
        let mut others = Vec::new();
        for number in 1..MAX_MOVES {
            others.push(permits.take(&number.to_string()).await.unwrap());
        }
        assert!(permits.take("bert").now_or_never().is_none());
        anna.succeed();
        permits.take("bert").await.unwrap().succeed();
        drop(others);
        assert_eq!(lock(&permits.failures).len(), MAX_MOVES - 1);
    }

    #[tokio::test]
    async fn only_some_connections_of_a_user_wait() {
        let permits = Permits::default();
        let first = permits.take("anna").await.unwrap();
        let mut waiting: Vec<_> = (1..MAX_MOVES_OF_USER).map(|_| Box::pin(permits.take("anna"))).collect();
        assert!(waiting.iter_mut().all(|take| take.as_mut().now_or_never().is_none()));
        assert!(permits.take("anna").await.is_none());
        first.succeed();
        assert!(waiting[0].as_mut().now_or_never().flatten().is_some());
    }

    #[tokio::test]
    async fn a_user_whose_moves_fail_often_has_to_wait() {
        let permits = Permits::default();
        for _ in 0..MAX_FAILURES {
            drop(permits.take("anna").await.unwrap());
        }
        assert!(permits.take("anna").await.is_none());
        permits.take("bert").await.unwrap().succeed();
        lock(&permits.failures).get_mut("anna").unwrap().since -= FAILURES_WINDOW;
        drop(permits.take("anna").await.unwrap());
        assert!(permits.take("anna").await.is_some(), "they are counted anew");
    }
}
