//! The queue for hashing: a bounded number of permits, fair turns, and permits that return when a caller disconnects.

use std::convert::identity;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quarterdeck_actors::background;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::secret::Secret;
use quick_cache::sync::Cache;
use tokio::sync::oneshot;

use super::hash::{self, PasswordMatch};
use super::schedule::{CallerKind, Limits, QueueFull, Schedule};
use crate::base::keyed::{Key, Keyed};
use crate::domain::caller::Caller;

/// The assumed time of a hash, until the first one is measured.
const ASSUMED_HASH: Duration = Duration::from_millis(150);

/// The number of pairs of a caller and an account that are remembered, 16 bytes each. The latest logins stay.
const MAX_KNOWN_PAIRS: usize = 10_000;

/// The errors of a full queue. Both are returned before anything is known about the account.
const FULL: [&str; 2] = ["app.password.queue_full.app_error", "app.password.caller_queue_full.app_error"];

/// Grants turns to hash. All workers share it.
pub(super) struct Queue {
    schedule: Mutex<Schedule<oneshot::Sender<Turn>>>,
    keyed: Keyed,
    /// The callers that proved an account, each with the name that it used.
    known: Cache<Key, ()>,
    at_once: u32,
    /// The duration of the last hash in the current format, in nanoseconds.
    last_hash_ns: AtomicU64,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            schedule: Mutex::new(Schedule::new(limits)),
            keyed: Keyed::default(),
            known: Cache::new(MAX_KNOWN_PAIRS),
            at_once: u32::try_from(limits.at_once).unwrap_or(1).max(1),
            last_hash_ns: AtomicU64::new(u64::try_from(ASSUMED_HASH.as_nanos()).unwrap_or(0)),
        }
    }

    /// Takes a permit, or returns an error at once.
    pub(super) fn enter(self: &Arc<Self>, caller: &Caller, name: &str) -> Result<Permit, AppError> {
        // A known caller has a lane of its own, so that others at its address cannot use up its permits.
        let pair = self.keyed.key(&[caller.lane(), name]);
        let (caller, kind) = match self.known.get(&pair) {
            Some(()) => (pair, CallerKind::Known),
            None => (self.keyed.key(&[caller.lane()]), CallerKind::Unknown),
        };
        let name = self.keyed.key(&[name]);
        // An evicted waiter learns from the dropped sender that it lost its place.
        let entered = self.lock().enter((caller, kind), name).map(drop);
        match entered {
            Ok(()) => Ok(Permit { queue: self.clone(), caller, name, is_waiting: false }),
            Err(full) => Err(self.refusal(full)),
        }
    }

    /// Remembers that the caller owns the account of that name, so that its next logins do not wait behind unknown callers.
    pub(super) fn remember(&self, caller: &Caller, name: &str) {
        self.known.insert(self.keyed.key(&[caller.lane(), name]), ());
    }

    /// Returns the number of requests that hash or wait.
    pub(super) fn places(&self) -> usize {
        self.lock().places()
    }

    /// Returns the duration of the latest hash.
    pub(super) fn hash_time(&self) -> Duration {
        Duration::from_nanos(self.last_hash_ns.load(Ordering::Relaxed))
    }

    fn refusal(&self, full: QueueFull) -> AppError {
        let [for_all, for_caller] = FULL;
        let places = u32::try_from(self.places()).unwrap_or(u32::MAX);
        let wait = self.hash_time().saturating_mul(places / self.at_once);
        let id = match full {
            QueueFull::All => for_all,
            QueueFull::Caller => for_caller,
        };
        AppError::new(id).with("RetryAfter", (wait.as_secs() + 1).to_string())
    }

    fn lock(&self) -> MutexGuard<'_, Schedule<oneshot::Sender<Turn>>> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grants all free turns. The lock is not held while a turn is sent, because dropping an unclaimed turn takes it.
    fn grant(self: &Arc<Self>) {
        loop {
            let Some(granted) = self.lock().next() else { return };
            let (caller, name) = (granted.caller, granted.name);
            let held = Held { queue: self.clone(), caller, name, since: Instant::now() };
            drop(granted.waiter.send(Turn(Arc::new(held))));
        }
    }
}

/// Returns true if the error says that the queue is full.
pub(crate) fn is_full(refusal: &AppError) -> bool {
    FULL.contains(&refusal.id.as_ref())
}

/// A place in the queue, until dropped.
pub(crate) struct Permit {
    queue: Arc<Queue>,
    caller: Key,
    name: Key,
    /// True once [`Queued`] owns the place instead of this permit.
    is_waiting: bool,
}

impl Permit {
    /// Waits for the turn of the caller and the name. Fails if the waiter is evicted to make room for another one.
    pub(crate) async fn turn(mut self) -> Result<Turn, AppError> {
        let (sender, receiver) = oneshot::channel();
        self.is_waiting = true;
        let ticket = self.queue.lock().wait(self.caller, self.name, sender);
        let queued = Queued { queue: self.queue.clone(), caller: self.caller, name: self.name, ticket };
        self.queue.grant();
        let turn = receiver.await.map_err(|_| queued.queue.refusal(QueueFull::Caller));
        drop(queued);
        turn
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.is_waiting {
            self.queue.lock().leave(self.caller);
        }
    }
}

/// A waiter for a turn. It leaves the queue on drop, when the caller disconnects.
struct Queued {
    queue: Arc<Queue>,
    caller: Key,
    name: Key,
    ticket: u64,
}

impl Drop for Queued {
    fn drop(&mut self) {
        let cancelled = self.queue.lock().cancel(self.caller, self.name, self.ticket);
        drop(cancelled);
    }
}

/// The permission to hash, until the last clone is dropped. A running hash cannot be stopped, so it keeps a clone.
#[derive(Clone)]
pub(crate) struct Turn(Arc<Held>);

struct Held {
    queue: Arc<Queue>,
    caller: Key,
    name: Key,
    since: Instant,
}

impl Turn {
    /// Returns the start of the turn.
    pub(crate) fn since(&self) -> Instant {
        self.0.since
    }

    /// Returns the hash of `password` to store.
    pub(crate) async fn hash(&self, password: Secret) -> Result<Secret, AppError> {
        self.compute(move |_| Secret::new(hash::hash_now(password.expose()))).await
    }

    /// Compares `password` with the stored hash. Without a stored hash it takes as long and does not match.
    pub(crate) async fn check(&self, password: Secret, stored: Option<Secret>) -> Result<PasswordMatch, AppError> {
        self.compute(move |queue| {
            let started = Instant::now();
            let (matched, hashes) = hash::check_now(&password, stored.as_ref());
            if let Some(one) = started.elapsed().checked_div(hashes) {
                queue.last_hash_ns.store(u64::try_from(one.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
            matched
        })
        .await
    }

    /// Computes in a task of its own, which holds the turn to the end even if its caller hung up.
    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Queue) -> T + Clone + Send + 'static,
    ) -> Result<T, AppError> {
        let (turn, queue) = (self.clone(), self.0.queue.clone());
        let computing = tokio::spawn(async move {
            let computed = background::compute_last(move || work(&queue)).await;
            drop(turn);
            computed
        });
        let computed = computing.await.and_then(identity);
        computed.map_err(|cause| AppError::new("api.user.check_user_password.invalid_hash.app_error").because(cause))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.queue.lock().finish(self.caller, self.name);
        self.queue.grant();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt;

    use super::*;

    const LIMITS: Limits = Limits { at_once: 1, per_caller: 4, total: 8 };

    fn at(address: &str) -> Caller {
        Caller::at(address.to_owned(), pending())
    }

    #[actix_rt::test]
    async fn a_caller_who_hangs_up_leaves_the_queue() {
        let queue = Arc::new(Queue::new(LIMITS));
        let turn = queue.enter(&at("192.0.2.1"), "anna").unwrap().turn().await.unwrap();
        let mut waiting: Vec<_> =
            (0..3).map(|_| Box::pin(queue.enter(&at("192.0.2.1"), "bert").unwrap().turn())).collect();
        assert!(waiting.iter_mut().all(|waiting| waiting.now_or_never().is_none()));
        assert_eq!(queue.places(), 4);
        drop(waiting);
        assert_eq!(queue.places(), 1);
        drop(turn);
        assert_eq!(queue.places(), 0);
        drop(queue.enter(&at("192.0.2.1"), "carl").unwrap());
        assert_eq!(queue.places(), 0);
    }

    #[actix_rt::test]
    async fn a_hash_under_way_keeps_its_turn_after_its_caller_hung_up() {
        let queue = Arc::new(Queue::new(LIMITS));
        let turn = queue.enter(&at("192.0.2.1"), "anna").unwrap().turn().await.unwrap();
        let hashing = Box::pin(async move { turn.check(Secret::new("guess"), None).await });
        let mut hashing = hashing;
        assert!((&mut hashing).now_or_never().is_none());
        drop(hashing);
        let mut next = Box::pin(queue.enter(&at("192.0.2.2"), "bert").unwrap().turn());
        assert!((&mut next).now_or_never().is_none(), "two hashes at once");
        drop(next.await.unwrap());
        assert_eq!(queue.places(), 0);
    }

    #[actix_rt::test]
    async fn whoever_finds_the_queue_full_is_told_when_to_try_again() {
        let queue = Arc::new(Queue::new(LIMITS));
        let permits: Vec<_> = (0..4).map(|name| queue.enter(&at("192.0.2.1"), &name.to_string()).unwrap()).collect();
        let refusal = queue.enter(&at("192.0.2.1"), "4").err().unwrap();
        assert_eq!(refusal.id, "app.password.caller_queue_full.app_error");
        assert_eq!(refusal.params, [("RetryAfter", "1".to_owned())]);
        assert!(is_full(&refusal));
        drop(queue.enter(&at("192.0.2.2"), "4").unwrap());
        drop(permits);
    }

    #[actix_rt::test]
    async fn whoever_logged_in_before_waits_for_no_crowd_of_strangers() {
        let queue = Arc::new(Queue::new(Limits { at_once: 1, per_caller: 2, total: 100 }));
        queue.remember(&at("192.0.2.1"), "anna");
        let turn = queue.enter(&at("203.0.113.1"), "anna").unwrap().turn().await.unwrap();
        let crowd = (0..99).map(|number| queue.enter(&at(&format!("203.0.113.{number}")), "anna").unwrap().turn());
        let mut crowd: Vec<_> = crowd.map(Box::pin).collect();
        assert!(crowd.iter_mut().all(|waiting| waiting.now_or_never().is_none()));
        // The queue is full of attempts at its name, and its address used up its permits with other names.
        let mut known = Box::pin(queue.enter(&at("192.0.2.1"), "anna").unwrap().turn());
        assert!((&mut known).now_or_never().is_none());
        drop(turn);
        drop(known.await.unwrap());
        let served: Vec<_> = crowd.iter_mut().filter_map(FutureExt::now_or_never).collect();
        assert_eq!(served.len(), 2, "one made room in the full queue, then a stranger's turn has come");
    }

    #[actix_rt::test]
    async fn a_place_goes_to_a_caller_with_fewer() {
        let queue = Arc::new(Queue::new(Limits { at_once: 1, per_caller: 4, total: 4 }));
        let turn = queue.enter(&at("192.0.2.1"), "0").unwrap().turn().await.unwrap();
        let mut waiting: Vec<_> =
            (1..4).map(|name| Box::pin(queue.enter(&at("192.0.2.1"), &name.to_string()).unwrap().turn())).collect();
        assert!(waiting.iter_mut().all(|waiting| waiting.now_or_never().is_none()));
        let honest = queue.enter(&at("192.0.2.2"), "anna").unwrap();
        let evicted: Vec<_> = waiting.iter_mut().filter_map(FutureExt::now_or_never).collect();
        assert!(matches!(evicted.as_slice(), [Err(refusal)] if is_full(refusal)));
        drop(turn);
        drop(waiting);
        drop(honest.turn().await.unwrap());
        assert_eq!(queue.places(), 0);
    }
}
