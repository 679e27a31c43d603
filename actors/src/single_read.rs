//! One read of a store for all callers who need its state of now at the same time.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// Lets one caller read at a time. Those who waited for its turn take its result if it began after they came, also if it
/// failed: a store that does not answer would otherwise keep each of them waiting after the other.
#[derive(Debug, Default)]
pub struct SingleRead {
    begun: AtomicU64,
    /// The last read that ended.
    last: Mutex<Ended>,
}

#[derive(Debug, Default)]
struct Ended {
    number: u64,
    is_ok: bool,
}

/// The failure of a read.
#[derive(Debug, PartialEq, Eq)]
pub enum Failed<E> {
    /// The error of the caller's own read.
    Own(E),
    /// The read of another caller failed.
    OfAnother,
}

impl SingleRead {
    /// Returns once a read that began after this call has ended. `read` runs if it is the turn of this caller.
    ///
    /// # Errors
    /// [`Failed`] if the read failed.
    pub async fn after_now<E, F>(&self, read: impl FnOnce() -> F) -> Result<(), Failed<E>>
    where
        F: Future<Output = Result<(), E>>,
    {
        let before = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if last.number > before {
            return if last.is_ok { Ok(()) } else { Err(Failed::OfAnother) };
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let read = read().await;
        *last = Ended { number, is_ok: read.is_ok() };
        read.map_err(Failed::Own)
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
    async fn callers_at_the_same_time_share_a_failure_and_later_ones_read_again() {
        let (single, count, permits) = (SingleRead::default(), Cell::new(0), Semaphore::new(0));
        let read = || async {
            count.set(count.get() + 1);
            let _permit = permits.acquire().await;
            Err::<(), &str>("away")
        };
        let callers = join_all((0..20).map(|_| single.after_now(read)));
        let (results, ()) = join(callers, async { permits.add_permits(1) }).await;
        assert_eq!(count.get(), 2, "no caller waits for more than two reads");
        assert_eq!(results.iter().filter(|result| **result == Err(Failed::OfAnother)).count(), 18);
        assert_eq!(single.after_now(|| async { Ok::<(), &str>(()) }).await, Ok(()));
    }
}
