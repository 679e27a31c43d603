//! One read of a store for all callers who need its state of now at the same time.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// Lets one caller read at a time. Those who waited for its turn take its result if it began after they came.
#[derive(Debug, Default)]
pub struct SingleRead {
    begun: AtomicU64,
    /// The number of the last read that succeeded.
    last: Mutex<u64>,
}

impl SingleRead {
    /// Returns once a read that began after this call has succeeded. `read` runs if it is the turn of this caller.
    ///
    /// # Errors
    /// That of `read`.
    pub async fn after_now<E, F>(&self, read: impl FnOnce() -> F) -> Result<(), E>
    where
        F: Future<Output = Result<(), E>>,
    {
        let before = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if *last > before {
            return Ok(());
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        read().await?;
        *last = number;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::{join, join_all};
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn callers_at_the_same_time_share_a_read_that_began_after_they_came() {
        let (single, count, permits) = (SingleRead::default(), Cell::new(0), Semaphore::new(0));
        let read = || async {
            count.set(count.get() + 1);
            permits.acquire().await.map(drop)
        };
        let callers = join_all((0..20).map(|_| single.after_now(read)));
        let (results, ()) = join(callers, async { permits.add_permits(1) }).await;
        assert!(results.iter().all(Result::is_ok));
        // The first one began to read before the others came. One of those reads for all of them.
        assert_eq!(count.get(), 2);
        single.after_now(read).await.unwrap();
        assert_eq!(count.get(), 3);
    }

    #[tokio::test]
    async fn a_read_that_failed_is_the_result_of_its_caller_alone() {
        let single = SingleRead::default();
        assert_eq!(single.after_now(|| async { Err("away") }).await, Err("away"));
        assert_eq!(single.after_now(|| async { Ok::<(), &str>(()) }).await, Ok(()));
    }
}
