//! The shared state of one connection: since when it is idle, and whether it was asked to close.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use quarterdeck_actors::clock::Uptime;

/// The value of `Occupant::idle_since` while a request is being answered.
const BUSY: i64 = -1;

/// The time that a connection must be idle before it is closed to make room, in milliseconds. The first request of a
/// new connection may still be on its way.
const MIN_IDLE_MS: i64 = 1_000;

/// The time for which a failed search for idle connections is not repeated, in milliseconds. A search walks over all
/// connections.
const SCAN_RETRY_DELAY_MS: i64 = 20;

/// The divisor for the number of connections that one search closes: one in 64 of all.
const BATCHES: usize = 64;

const STAYS: u8 = 0;
const LEAVES: u8 = 1;
const LEAVES_AT_ONCE: u8 = 2;

/// One connection. Its stream and its requests write it, on the worker thread that serves it.
pub(crate) struct Occupant {
    number: u64,
    /// Milliseconds of `Uptime`, or `BUSY`.
    idle_since: AtomicI64,
    has_unsent: AtomicBool,
    is_socket: AtomicBool,
    leaving: AtomicU8,
    waker: AtomicWaker,
}

impl Occupant {
    /// Notes that a request is being answered.
    pub(crate) fn begin(&self) {
        self.idle_since.store(BUSY, Ordering::Relaxed);
    }

    /// Notes that the connection is being closed, so that it no longer counts as idle.
    pub(crate) fn close(&self) {
        self.begin();
    }

    /// Notes that the connection waits for a request.
    pub(crate) fn wait(&self) {
        self.idle_since.store(Uptime::now().ms(), Ordering::Relaxed);
    }

    /// Notes whether bytes of a response wait for the kernel to take them.
    pub(crate) fn set_unsent(&self, has_unsent: bool) {
        self.has_unsent.store(has_unsent, Ordering::Relaxed);
    }

    /// Notes that the connection is a WebSocket from now on.
    pub(crate) fn switch(&self) {
        self.is_socket.store(true, Ordering::Relaxed);
    }

    /// Returns true if a stop of the server waits until the unsent bytes of a response are sent. A WebSocket is
    /// excluded, because a stop closes it in a step of its own.
    fn is_sending(&self) -> bool {
        self.has_unsent.load(Ordering::Relaxed) && !self.is_socket.load(Ordering::Relaxed)
    }

    /// Returns true if the connection was asked to close once it is idle. Wakes `waker` when that changes.
    pub(crate) fn must_leave(&self, waker: &Waker) -> bool {
        // The waker is registered before the flag is read, so that a change in between is not missed.
        self.waker.register(waker);
        self.leaving.load(Ordering::Acquire) != STAYS
    }

    /// Returns true if the connection was asked to make room for another one. Then its close does not wait for the
    /// client.
    pub(crate) fn makes_room(&self) -> bool {
        self.leaving.load(Ordering::Relaxed) == LEAVES_AT_ONCE
    }

    /// Returns the time since when the connection has been idle; `None` if it is not idle.
    fn idle_since(&self) -> Option<Uptime> {
        let idle_since = self.idle_since.load(Ordering::Relaxed);
        let is_idle = idle_since != BUSY && !self.has_unsent.load(Ordering::Relaxed);
        is_idle.then(|| Uptime::from_ms(idle_since))
    }

    fn leave(&self, how: u8) {
        self.leaving.fetch_max(how, Ordering::Release);
        self.waker.wake();
    }
}

/// All connections.
#[derive(Default)]
pub(super) struct Occupants {
    all: Mutex<HashMap<u64, Arc<Occupant>>>,
    next: AtomicU64,
    /// The number of connections that were asked to make room and are still open.
    making_room: AtomicUsize,
    scan_at: AtomicI64,
}

impl Occupants {
    /// Adds a connection. It counts as busy until it waits for its first request.
    pub(super) fn add(&self) -> Arc<Occupant> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let occupant = Arc::new(Occupant {
            number,
            idle_since: AtomicI64::new(BUSY),
            has_unsent: AtomicBool::new(false),
            is_socket: AtomicBool::new(false),
            leaving: AtomicU8::new(STAYS),
            waker: AtomicWaker::new(),
        });
        self.all.lock().unwrap_or_else(PoisonError::into_inner).insert(number, occupant.clone());
        occupant
    }

    pub(super) fn remove(&self, occupant: &Occupant) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&occupant.number);
        if occupant.makes_room() {
            self.making_room.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Asks at least `needed` connections to close, those with the longest idle time first. Returns false if too few
    /// are idle.
    pub(super) fn make_room(&self, needed: usize, now: Uptime) -> bool {
        let missing = || needed.saturating_sub(self.making_room.load(Ordering::Relaxed));
        if missing() == 0 {
            return true;
        }
        if now.ms() < self.scan_at.load(Ordering::Relaxed) {
            return false;
        }
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let is_asked = |occupant: &Occupant| occupant.leaving.load(Ordering::Relaxed) == LEAVES_AT_ONCE;
        let mut idle: Vec<(Uptime, &Arc<Occupant>)> = all
            .values()
            .filter(|occupant| !is_asked(occupant))
            .filter_map(|occupant| Some((occupant.idle_since()?, occupant)))
            .filter(|(since, _)| now.ms_since(*since) >= MIN_IDLE_MS)
            .collect();
        let needed = missing();
        // One search closes some more than needed, so that a flood of new connections does not cause a search for each
        // of them.
        let count = needed.max(all.len() / BATCHES);
        if idle.len() > count {
            idle.select_nth_unstable_by_key(count, |(since, occupant)| (*since, occupant.number));
            idle.truncate(count);
        }
        for (_, occupant) in &idle {
            // The count goes up before the request to close, because the connection may close immediately.
            self.making_room.fetch_add(1, Ordering::Relaxed);
            occupant.leave(LEAVES_AT_ONCE);
        }
        let is_enough = idle.len() >= needed;
        if !is_enough {
            self.scan_at.store(now.plus_ms(SCAN_RETRY_DELAY_MS).ms(), Ordering::Relaxed);
        }
        is_enough
    }

    /// Asks connections that have been idle since `before` to close. Returns the number of idle connections that were
    /// not asked to close.
    pub(super) fn end_idle(&self, before: Option<Uptime>) -> usize {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut staying = 0;
        for occupant in all.values() {
            let Some(since) = occupant.idle_since() else { continue };
            if before.is_some_and(|before| since <= before) {
                occupant.leave(LEAVES);
            }
            staying += usize::from(occupant.leaving.load(Ordering::Relaxed) == STAYS);
        }
        staying
    }

    /// Returns the number of connections with unsent bytes of a response.
    pub(super) fn unsent(&self) -> usize {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().filter(|occupant| occupant.is_sending()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Uptime {
        Uptime::from_ms(ms)
    }

    fn idle_since(occupants: &Occupants, ms: i64) -> Arc<Occupant> {
        let occupant = occupants.add();
        occupant.idle_since.store(ms, Ordering::Relaxed);
        occupant
    }

    fn leaves(occupant: &Occupant) -> bool {
        occupant.must_leave(Waker::noop())
    }

    #[test]
    fn the_longest_idle_make_room_and_those_that_answer_or_send_never_do() {
        let occupants = Occupants::default();
        let (busy, sending) = (occupants.add(), idle_since(&occupants, 0));
        sending.set_unsent(true);
        let young = idle_since(&occupants, 101);
        let [third, first, second] = [30, 10, 20].map(|ms| idle_since(&occupants, ms));
        assert!(occupants.make_room(2, at(1_100)));
        assert_eq!(
            [&busy, &sending, &first, &second, &third].map(|one| leaves(one)),
            [false, false, true, true, false]
        );
        // While these connections are still open, no further connection is asked to close.
        assert!(occupants.make_room(2, at(1_100)) && !leaves(&third));
        occupants.remove(&first);
        assert!(occupants.make_room(1, at(1_100)) && !leaves(&third));
        assert!(occupants.make_room(2, at(1_100)) && leaves(&third));
        assert!(!occupants.make_room(3, at(1_100)) && !leaves(&young), "nothing else has been idle for a second");
    }

    #[test]
    fn a_socket_that_takes_nothing_is_no_answer_that_a_stop_waits_for() {
        let occupants = Occupants::default();
        let [answer, socket] = [(); 2].map(|()| occupants.add());
        answer.set_unsent(true);
        socket.set_unsent(true);
        assert_eq!(occupants.unsent(), 2);
        socket.switch();
        assert_eq!(occupants.unsent(), 1);
    }

    #[test]
    fn where_nothing_is_idle_no_room_is_made_and_not_everything_is_looked_through_each_time() {
        let occupants = Occupants::default();
        let busy = occupants.add();
        assert!(!occupants.make_room(1, at(1_100)));
        busy.idle_since.store(0, Ordering::Relaxed);
        assert!(!occupants.make_room(1, at(1_119)));
        assert!(occupants.make_room(1, at(1_120)));
    }

    #[test]
    fn at_a_stop_idle_connections_leave_once_they_have_been_idle_for_the_window() {
        let occupants = Occupants::default();
        let (early, late, busy) = (idle_since(&occupants, 10), idle_since(&occupants, 30), occupants.add());
        assert_eq!(occupants.end_idle(None), 2);
        assert_eq!(occupants.end_idle(Some(at(20))), 1);
        assert_eq!([&early, &late, &busy].map(|one| leaves(one)), [true, false, false]);
        assert!(!early.makes_room());
        occupants.remove(&early);
        assert_eq!((occupants.end_idle(Some(at(30))), leaves(&late)), (0, true));
    }
}
