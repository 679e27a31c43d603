//! The shared state of one connection: since when it is idle, and whether it was asked to close.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use quarterdeck_actors::clock::Uptime;

/// The value of `ConnectionEntry::idle_since` while a request is being answered.
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
pub(crate) struct ConnectionEntry {
    number: u64,
    /// Milliseconds of `Uptime`, or `BUSY`.
    idle_since: AtomicI64,
    has_unsent: AtomicBool,
    is_socket: AtomicBool,
    leaving: AtomicU8,
    waker: AtomicWaker,
}

impl ConnectionEntry {
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
pub(super) struct ConnectionEntries {
    all: Mutex<HashMap<u64, Arc<ConnectionEntry>>>,
    next: AtomicU64,
    /// The number of connections that were asked to make room and are still open.
    making_room: AtomicUsize,
    scan_at: AtomicI64,
}

impl ConnectionEntries {
    /// Adds a connection. It counts as busy until it waits for its first request.
    pub(super) fn add(&self) -> Arc<ConnectionEntry> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(ConnectionEntry {
            number,
            idle_since: AtomicI64::new(BUSY),
            has_unsent: AtomicBool::new(false),
            is_socket: AtomicBool::new(false),
            leaving: AtomicU8::new(STAYS),
            waker: AtomicWaker::new(),
        });
        self.all.lock().unwrap_or_else(PoisonError::into_inner).insert(number, entry.clone());
        entry
    }

    pub(super) fn remove(&self, entry: &ConnectionEntry) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&entry.number);
        if entry.makes_room() {
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
        let is_leaving = |entry: &ConnectionEntry| entry.leaving.load(Ordering::Relaxed) == LEAVES_AT_ONCE;
        let mut idle: Vec<(Uptime, &Arc<ConnectionEntry>)> = all
            .values()
            .filter(|entry| !is_leaving(entry))
            .filter_map(|entry| Some((entry.idle_since()?, entry)))
            .filter(|(since, _)| now.ms_since(*since) >= MIN_IDLE_MS)
            .collect();
        let needed = missing();
        // One search closes some more than needed, so that a flood of new connections does not cause a search for each
        // of them.
        let count = needed.max(all.len() / BATCHES);
        if idle.len() > count {
            idle.select_nth_unstable_by_key(count, |(since, entry)| (*since, entry.number));
            idle.truncate(count);
        }
        for (_, entry) in &idle {
            // The count goes up before the request to close, because the connection may close immediately.
            self.making_room.fetch_add(1, Ordering::Relaxed);
            entry.leave(LEAVES_AT_ONCE);
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
        for entry in all.values() {
            let Some(since) = entry.idle_since() else { continue };
            if before.is_some_and(|before| since <= before) {
                entry.leave(LEAVES);
            }
            staying += usize::from(entry.leaving.load(Ordering::Relaxed) == STAYS);
        }
        staying
    }

    /// Returns the number of connections with unsent bytes of a response.
    pub(super) fn unsent(&self) -> usize {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().filter(|entry| entry.is_sending()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Uptime {
        Uptime::from_ms(ms)
    }

    fn idle_since(entries: &ConnectionEntries, ms: i64) -> Arc<ConnectionEntry> {
        let entry = entries.add();
        entry.idle_since.store(ms, Ordering::Relaxed);
        entry
    }

    fn leaves(entry: &ConnectionEntry) -> bool {
        entry.must_leave(Waker::noop())
    }

    #[test]
    fn the_longest_idle_make_room_and_those_that_answer_or_send_never_do() {
        let entries = ConnectionEntries::default();
        let (busy, sending) = (entries.add(), idle_since(&entries, 0));
        sending.set_unsent(true);
        let young = idle_since(&entries, 101);
        let [third, first, second] = [30, 10, 20].map(|ms| idle_since(&entries, ms));
        assert!(entries.make_room(2, at(1_100)));
        assert_eq!(
            [&busy, &sending, &first, &second, &third].map(|one| leaves(one)),
            [false, false, true, true, false]
        );
        // While these connections are still open, no further connection is asked to close.
        assert!(entries.make_room(2, at(1_100)) && !leaves(&third));
        entries.remove(&first);
        assert!(entries.make_room(1, at(1_100)) && !leaves(&third));
        assert!(entries.make_room(2, at(1_100)) && leaves(&third));
        assert!(!entries.make_room(3, at(1_100)) && !leaves(&young), "nothing else has been idle for a second");
    }

    #[test]
    fn a_socket_that_takes_nothing_is_no_answer_that_a_stop_waits_for() {
        let entries = ConnectionEntries::default();
        let [answer, socket] = [(); 2].map(|()| entries.add());
        answer.set_unsent(true);
        socket.set_unsent(true);
        assert_eq!(entries.unsent(), 2);
        socket.switch();
        assert_eq!(entries.unsent(), 1);
    }

    #[test]
    fn where_nothing_is_idle_no_room_is_made_and_not_everything_is_looked_through_each_time() {
        let entries = ConnectionEntries::default();
        let busy = entries.add();
        assert!(!entries.make_room(1, at(1_100)));
        busy.idle_since.store(0, Ordering::Relaxed);
        assert!(!entries.make_room(1, at(1_119)));
        assert!(entries.make_room(1, at(1_120)));
    }

    #[test]
    fn at_a_stop_idle_connections_leave_once_they_have_been_idle_for_the_window() {
        let entries = ConnectionEntries::default();
        let (early, late, busy) = (idle_since(&entries, 10), idle_since(&entries, 30), entries.add());
        assert_eq!(entries.end_idle(None), 2);
        assert_eq!(entries.end_idle(Some(at(20))), 1);
        assert_eq!([&early, &late, &busy].map(|one| leaves(one)), [true, false, false]);
        assert!(!early.makes_room());
        entries.remove(&early);
        assert_eq!((entries.end_idle(Some(at(30))), leaves(&late)), (0, true));
    }
}
