//! Announces changes to the audience in their order, so that the actor does not wait for the audience.
//!
//! A status that changes too often is announced at a limited rate. The last state always arrives: a late announcement
//! reads the status as it is then, which another server may have changed meanwhile.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use super::StatusAudience;
use super::shared::Shared;
use crate::pause;
use crate::task;

/// The interval between announcements of one user once the burst is used.
const INTERVAL: Duration = Duration::from_secs(1);

/// The number of announcements of one user that need no interval.
const BURST: u32 = 5;

/// The maximum number of changes that wait for the audience in their order.
const MAX_QUEUED_CHANGES: usize = 4096;

/// The maximum number of users with a late announcement. Changes of further ones are dropped.
const MAX_LATE_USERS: usize = 65_536;

/// The timeout for announcing one change.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(1);

/// The changes that wait. When it is dropped, the task ends.
#[derive(Default)]
pub(super) struct Announcer(Arc<Waiting>);

#[derive(Default)]
struct Waiting {
    queue: Mutex<Queue>,
    /// Rings when a change was added, and at the end.
    rings: Notify,
    /// Rings when no change waits any more.
    told: Notify,
}

/// The new status of a user.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    pub(super) user_id: String,
    pub(super) presence: String,
}

impl Announcer {
    /// Starts the task that announces.
    pub(super) fn start(shared: &Arc<Shared>, audience: Arc<dyn StatusAudience>) {
        let (waiting, shared) = (shared.announcer.0.clone(), Arc::downgrade(shared));
        task::keep("announce_statuses", move || tell(waiting.clone(), shared.clone(), audience.clone()));
    }

    pub(super) fn announce(&self, change: Change) {
        if !self.0.queue().add(change, Instant::now()) {
            debug!("too many status changes wait to be announced; one is dropped");
        }
        self.0.rings.notify_one();
    }

    /// Announces late changes without waiting for their turn from now on, and waits until all changes are announced.
    pub(super) async fn finish(&self) {
        self.0.queue().is_finishing = true;
        self.0.rings.notify_one();
        loop {
            let told = self.0.told.notified();
            if self.0.queue().is_empty() {
                return;
            }
            told.await;
        }
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.0.rings.notify_one();
    }
}

impl Waiting {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The changes that wait.
#[derive(Default)]
struct Queue {
    /// Those that are announced next, in their order.
    ready: VecDeque<Change>,
    /// The statuses of users who changed too often, by the time of their announcement and a number.
    late: BTreeMap<(Instant, u64), String>,
    /// The last status of each of these users.
    latest: HashMap<String, String>,
    /// The times at which the bursts of users are complete again.
    full_at: HashMap<String, Instant>,
    number: u64,
    /// True while the task announces a change.
    is_announcing: bool,
    /// True once late changes do not wait for their turn any more.
    is_finishing: bool,
}

/// The next step of the task.
#[derive(Debug, PartialEq)]
enum Next {
    Announce(Change),
    /// A late change, which is read again.
    AnnounceLate(Change),
    WaitUntil(Instant),
    Wait,
}

impl Queue {
    /// Adds a change. Returns false if it is dropped.
    fn add(&mut self, change: Change, now: Instant) -> bool {
        if let Some(latest) = self.latest.get_mut(&change.user_id) {
            *latest = change.presence;
            return true;
        }
        let at = self.turn_of(&change.user_id, now);
        if at <= now && self.ready.len() < MAX_QUEUED_CHANGES {
            self.ready.push_back(change);
            return true;
        }
        if self.latest.len() >= MAX_LATE_USERS {
            return false;
        }
        self.number += 1;
        self.late.insert((at, self.number), change.user_id.clone());
        self.latest.insert(change.user_id, change.presence);
        true
    }

    /// Returns the time at which a user's next change may be announced, and uses it.
    fn turn_of(&mut self, user_id: &str, now: Instant) -> Instant {
        if self.full_at.len() >= MAX_LATE_USERS {
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        let full_at = self.full_at.get(user_id).copied().unwrap_or(now).max(now) + INTERVAL;
        self.full_at.insert(user_id.to_owned(), full_at);
        full_at.checked_sub(INTERVAL * BURST).map_or(now, |at| at.max(now))
    }

    /// Gives a user's turn back that was not used, so that the next change does not wait for another one.
    fn give_back(&mut self, user_id: &str) {
        if let Some(full_at) = self.full_at.get_mut(user_id) {
            *full_at = full_at.checked_sub(INTERVAL).unwrap_or(*full_at);
        }
    }

    /// Returns true if no change waits or is being announced.
    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.late.is_empty() && !self.is_announcing
    }

    fn next(&mut self, now: Instant) -> Next {
        let next = self.step(now);
        self.is_announcing = matches!(next, Next::Announce(_) | Next::AnnounceLate(_));
        next
    }

    fn step(&mut self, now: Instant) -> Next {
        if let Some(change) = self.ready.pop_front() {
            return Next::Announce(change);
        }
        let Some(entry) = self.late.first_entry() else {
            // No change waits, so those of a moment ago are enough.
            self.full_at.retain(|_, full_at| *full_at > now);
            return Next::Wait;
        };
        let (at, _) = *entry.key();
        if at > now && !self.is_finishing {
            return Next::WaitUntil(at);
        }
        let user_id = entry.remove();
        let presence = self.latest.remove(&user_id).unwrap_or_default();
        Next::AnnounceLate(Change { user_id, presence })
    }
}

async fn tell(waiting: Arc<Waiting>, shared: Weak<Shared>, audience: Arc<dyn StatusAudience>) {
    loop {
        let next = waiting.queue().next(Instant::now());
        let Some(shared) = shared.upgrade() else { return };
        match next {
            Next::Announce(change) => announce(&*audience, change).await,
            Next::AnnounceLate(change) => {
                let user_id = change.user_id.clone();
                match shared.as_it_is(change).await {
                    Some(change) => announce(&*audience, change).await,
                    None => waiting.queue().give_back(&user_id),
                }
            }
            // The state is not kept while the task waits, so that it can end.
            Next::WaitUntil(at) => {
                drop(shared);
                let _ = timeout_at(at, waiting.rings.notified()).await;
            }
            Next::Wait => {
                drop(shared);
                waiting.told.notify_waiters();
                waiting.rings.notified().await;
            }
        }
    }
}

async fn announce(audience: &dyn StatusAudience, Change { user_id, presence }: Change) {
    if pause::timeout(ANNOUNCE_TIMEOUT, audience.announce(&user_id, &presence)).await.is_err() {
        warn!("a status change could not be announced");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(user_id: &str, presence: &str) -> Change {
        Change { user_id: user_id.to_owned(), presence: presence.to_owned() }
    }

    #[test]
    fn a_user_who_changes_too_often_is_announced_each_second_with_the_last_status() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        for number in 0..100 {
            assert!(queue.add(change("anna", &number.to_string()), start));
        }
        assert!(queue.add(change("bert", "away"), start));
        let first: Vec<Next> = (0..5).map(|number| Next::Announce(change("anna", &number.to_string()))).collect();
        for expected in first {
            assert_eq!(queue.next(start), expected);
        }
        assert_eq!(queue.next(start), Next::Announce(change("bert", "away")));
        let late = start + INTERVAL;
        assert_eq!(queue.next(start), Next::WaitUntil(late));
        assert!(queue.add(change("anna", "last"), start));
        assert_eq!(queue.next(late), Next::AnnounceLate(change("anna", "last")));
        assert_eq!(queue.next(late), Next::Wait);
        // One more a second.
        queue.add(change("anna", "a"), late);
        queue.add(change("anna", "b"), late);
        assert_eq!(queue.next(late), Next::WaitUntil(late + INTERVAL));
        assert_eq!(queue.next(late + INTERVAL), Next::AnnounceLate(change("anna", "b")));
        queue.give_back("anna");
        queue.add(change("anna", "c"), late + INTERVAL);
        assert_eq!(queue.next(late + INTERVAL), Next::Announce(change("anna", "c")));
        // After a rest the burst is there again, and no time is kept.
        let rested = late + INTERVAL * (BURST + 2);
        assert_eq!((queue.next(rested), queue.full_at.len()), (Next::Wait, 0));
        for _ in 0..BURST {
            queue.add(change("anna", "c"), rested);
            assert_eq!(queue.next(rested), Next::Announce(change("anna", "c")));
        }
    }

    #[test]
    fn changes_that_find_no_room_in_the_queue_are_late_and_their_number_is_bounded() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let all = MAX_QUEUED_CHANGES + MAX_LATE_USERS;
        let added = (0..all + 10).filter(|user| queue.add(change(&user.to_string(), "away"), now)).count();
        assert_eq!(added, all);
        assert_eq!(
            (queue.ready.len(), queue.latest.len(), queue.late.len()),
            (MAX_QUEUED_CHANGES, MAX_LATE_USERS, MAX_LATE_USERS)
        );
    }
}
