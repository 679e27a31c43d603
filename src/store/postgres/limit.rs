//! A semaphore whose number of permits can change while some are in use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::StoreError;

pub(super) struct Limit {
    permits: Arc<Semaphore>,
    size: Mutex<Size>,
}

struct Size {
    permits: usize,
    /// Permits in use that are destroyed instead of returned, because the limit shrank.
    surplus: usize,
}

/// One permit; dropping it returns it.
pub(super) struct Permit {
    limit: Arc<Limit>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Limit {
    pub(super) fn new(permits: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(permits)), size: Mutex::new(Size { permits, surplus: 0 }) }
    }

    /// Waits for a permit.
    pub(super) async fn enter(self: Arc<Self>) -> Result<Permit, StoreError> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::Unavailable("the database is being closed".to_owned()))?;
        Ok(Permit { limit: self, permit: Some(permit) })
    }

    /// Sets the number of permits. Surplus permits in use are destroyed when they are dropped.
    pub(super) fn resize(&self, permits: usize) {
        let mut size = self.lock();
        let more = permits.saturating_sub(size.permits);
        let kept = more.min(size.surplus);
        self.permits.add_permits(more - kept);
        let less = size.permits.saturating_sub(permits);
        let held = less - self.permits.forget_permits(less);
        *size = Size { permits, surplus: size.surplus - kept + held };
    }

    fn lock(&self) -> MutexGuard<'_, Size> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut size = self.limit.lock();
        let is_surplus = size.surplus > 0;
        if is_surplus {
            size.surplus -= 1;
            self.permit.take().into_iter().for_each(OwnedSemaphorePermit::forget);
        }
        // The permit is returned under the size lock, so that a resize counts it once: as used or as free.
        drop(self.permit.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn taken(limit: &Arc<Limit>) -> Option<Permit> {
        limit.clone().enter().now_or_never().map(Result::unwrap)
    }

    #[test]
    fn a_limit_that_shrinks_gets_back_fewer_permits_than_it_gave() {
        let limit = Arc::new(Limit::new(3));
        let mut held = [taken(&limit), taken(&limit), taken(&limit)];
        assert!(held.iter().all(Option::is_some) && taken(&limit).is_none());
        limit.resize(1);
        for number in [0, 1] {
            held[number] = None;
            assert!(taken(&limit).is_none(), "surplus");
        }
        held[2] = None;
        let only = taken(&limit);
        assert!(only.is_some() && taken(&limit).is_none());
    }

    #[test]
    fn a_limit_that_grows_again_counts_each_permit_once() {
        let limit = Arc::new(Limit::new(2));
        let held = [taken(&limit), taken(&limit)];
        limit.resize(1);
        limit.resize(3);
        let more = taken(&limit);
        assert!(more.is_some() && taken(&limit).is_none(), "two are held, and one is new");
        drop(held);
        let again = [taken(&limit), taken(&limit)];
        assert!(again.iter().all(Option::is_some) && taken(&limit).is_none());
    }
}
