//! The memory budget for request bodies, shared by all requests.
//!
//! The bytes of a body are counted as they arrive, and returned when its request is answered. All callers without a
//! session together have a quarter of the budget, and each user has at most a quarter, so that none of them can take
//! the memory of the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use quarterdeck_actors::error::AppError;

/// The divisor for the part of the budget that all callers without a session share, and that each user has.
const SHARE_DIVISOR: usize = 4;

/// Counts the bytes of all bodies.
pub(crate) struct BodyBudget {
    total: usize,
    held: Mutex<Held>,
    refused: AtomicU64,
    late: AtomicU64,
}

#[derive(Default)]
struct Held {
    total: usize,
    /// Bytes by user id. All callers without a session are counted under the empty id.
    by_user: HashMap<String, usize>,
}

/// The bytes that one request takes from the budget. Dropping it returns them.
pub(crate) struct BodyShare {
    budget: Arc<BodyBudget>,
    user_id: String,
    limit: usize,
    held: usize,
}

impl BodyBudget {
    /// Creates a budget of `total` bytes.
    pub(crate) fn new(total: usize) -> Arc<Self> {
        Arc::new(Self { total, held: Mutex::default(), refused: AtomicU64::new(0), late: AtomicU64::new(0) })
    }

    /// Starts to count a body of at most `largest` bytes. `user_id` is empty for a caller without a session.
    ///
    /// A user may always send one body of the largest size that the settings allow, even if it exceeds a quarter of the
    /// budget.
    pub(crate) fn share(self: &Arc<Self>, user_id: &str, largest: u64) -> BodyShare {
        let largest = usize::try_from(largest).unwrap_or(usize::MAX);
        let quarter = self.total / SHARE_DIVISOR;
        let limit = if user_id.is_empty() { quarter } else { quarter.max(largest) };
        BodyShare { budget: self.clone(), user_id: user_id.to_owned(), limit, held: 0 }
    }

    /// Returns the number of bytes that request bodies take now.
    pub(crate) fn held(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    /// Returns how many bodies were refused, by reason.
    pub(crate) fn refused(&self) -> [(&'static str, u64); 2] {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [("budget", load(&self.refused)), ("rate", load(&self.late))]
    }
}

impl BodyShare {
    /// Counts the body as one that arrived too slowly.
    pub(crate) fn note_late(&self) {
        self.budget.late.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts `bytes` more. Fails if the budget has no space for them.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), AppError> {
        let mut held = self.budget.held.lock().unwrap_or_else(PoisonError::into_inner);
        let of_user = held.by_user.get(&self.user_id).copied().unwrap_or_default();
        let has_room = held.total + bytes <= self.budget.total && of_user + bytes <= self.limit;
        if !has_room {
            self.budget.refused.fetch_add(1, Ordering::Relaxed);
            return Err(AppError::new("app.request.no_room.app_error"));
        }
        held.total += bytes;
        held.by_user.insert(self.user_id.clone(), of_user + bytes);
        self.held += bytes;
        Ok(())
    }
}

impl Drop for BodyShare {
    fn drop(&mut self) {
        if self.held == 0 {
            return;
        }
        let mut held = self.budget.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.total -= self.held;
        if let Some(of_user) = held.by_user.get_mut(&self.user_id) {
            *of_user -= self.held;
            if *of_user == 0 {
                held.by_user.remove(&self.user_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_without_a_session_leave_room_for_users() {
        let budget = BodyBudget::new(400);
        let mut unauthenticated: Vec<_> = (0..4).map(|_| budget.share("", 1000)).collect();
        let taken: Vec<_> = unauthenticated.iter_mut().map(|share| share.grow(30).is_ok()).collect();
        assert_eq!(taken, [true, true, true, false]);
        let mut anna = budget.share("anna", 50);
        assert!(anna.grow(100).is_ok());
        assert!(budget.share("anna", 50).grow(1).is_err());
        let mut picture = [budget.share("eve", 80), budget.share("eve", 80)];
        let taken: Vec<bool> = picture.iter_mut().map(|share| share.grow(60).is_ok()).collect();
        assert_eq!(taken, [true, false], "several bodies of a user have a quarter together");
        drop(picture);
        let mut large = budget.share("ben", 200);
        assert!(large.grow(200).is_ok());
        assert!(budget.share("cleo", 50).grow(50).is_err());
        assert_eq!((budget.held(), budget.refused()), (390, [("budget", 4), ("rate", 0)]));
        drop((unauthenticated, anna, large));
        assert_eq!(budget.held(), 0);
        assert!(budget.held.lock().unwrap().by_user.is_empty());
    }
}
