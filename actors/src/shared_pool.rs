//! A pool of permits that users share. Each has a maximum in it, so no user can block the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::pause::timeout;

/// The timeout of a user's wait for a permit.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(20);

/// A pool of permits with a maximum for each user.
#[derive(Debug)]
pub struct SharedPool {
    permits: Arc<Semaphore>,
    /// The maximum number of permits that a user has at once.
    permits_per_user: usize,
    /// The maximum number of a user's requests that have a permit or wait for one.
    max_per_user: usize,
    users: Arc<Mutex<HashMap<String, User>>>,
}

#[derive(Debug)]
struct User {
    permits: Arc<Semaphore>,
    requests: usize,
}

/// A permit for one piece of work; dropping it returns it.
#[derive(Debug)]
pub struct Permit {
    // The fields are dropped in this order, so that the user's next request finds the common permit free.
    _common: Option<OwnedSemaphorePermit>,
    _own: Option<OwnedSemaphorePermit>,
    _entry: Option<Entry>,
}

/// The entry of a request in the table of users; dropping it removes the request.
#[derive(Debug)]
struct Entry {
    users: Arc<Mutex<HashMap<String, User>>>,
    user: String,
}

/// The error when the user, or all users together, have no permit left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPermit;

impl Permit {
    /// Makes a permit of one from a pool without users.
    #[must_use]
    pub fn of_common(common: Option<OwnedSemaphorePermit>) -> Self {
        Self { _common: common, _own: None, _entry: None }
    }
}

impl SharedPool {
    /// Creates a pool of `size` permits. Each user has at most `permits_per_user` of them at once, and at most `max_per_user`
    /// requests that have a permit or wait for one.
    #[must_use]
    pub fn new(size: usize, permits_per_user: usize, max_per_user: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(size)), permits_per_user, max_per_user, users: Arc::default() }
    }

    /// Returns a permit for `user`; waits up to 20 s.
    ///
    /// # Errors
    /// [`NoPermit`] after that time, or at once if the user has and awaits the maximum.
    pub async fn permit(&self, user: &str) -> Result<Permit, NoPermit> {
        let (entry, own) = self.enter(user)?;
        let waiting = async {
            let own = own.acquire_owned().await.ok();
            (own, self.permits.clone().acquire_owned().await.ok())
        };
        let (own, common) = timeout(PERMIT_TIMEOUT, waiting).await.map_err(|_| NoPermit)?;
        Ok(Permit { _common: common, _own: own, _entry: Some(entry) })
    }

    fn enter(&self, user: &str) -> Result<(Entry, Arc<Semaphore>), NoPermit> {
        let mut users = lock(&self.users);
        let new = || User { permits: Arc::new(Semaphore::new(self.permits_per_user)), requests: 0 };
        let entry = users.entry(user.to_owned()).or_insert_with(new);
        if entry.requests >= self.max_per_user {
            return Err(NoPermit);
        }
        entry.requests += 1;
        Ok((Entry { users: self.users.clone(), user: user.to_owned() }, entry.permits.clone()))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut users = lock(&self.users);
        if let Some(user) = users.get_mut(&self.user) {
            user.requests = user.requests.saturating_sub(1);
            if user.requests == 0 {
                users.remove(&self.user);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_user_with_many_requests_leaves_permits_to_others() {
        let pool = SharedPool::new(4, 2, 3);
        let held = [pool.permit("anna").await.unwrap(), pool.permit("anna").await.unwrap()];
        let mut waiting = Box::pin(pool.permit("anna"));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(pool.permit("anna").await.unwrap_err(), NoPermit);
        let others = [pool.permit("bert").await.unwrap(), pool.permit("bert").await.unwrap()];
        drop(held);
        drop(waiting.await.unwrap());
        drop(others);
        assert!(lock(&pool.users).is_empty(), "a user without requests is remembered");
        assert_eq!(pool.permits.available_permits(), 4);
    }

    #[tokio::test]
    async fn a_request_that_waits_and_is_given_up_leaves_nothing_behind() {
        let pool = SharedPool::new(1, 1, 8);
        let held = pool.permit("anna").await.unwrap();
        for user in ["anna", "bert"] {
            assert!(pool.permit(user).now_or_never().is_none());
        }
        drop(held);
        assert!(lock(&pool.users).is_empty());
        assert!(pool.permit("bert").now_or_never().is_some());
    }
}
