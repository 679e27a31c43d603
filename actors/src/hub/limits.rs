//! What all connections together may take, and what became of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::end::End;
use super::entrance::Entrance;
use super::event::Event;
use super::frame::Held;

/// What all connections together may take. Times are milliseconds.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Sockets at the same time.
    pub sockets: usize,
    /// Sockets of one user at the same time.
    pub sockets_per_user: usize,
    /// Bytes of events that wait or can be sent again.
    pub held_bytes: usize,
    /// How long a client may stay away and still miss nothing.
    pub resume_ms: i64,
    /// How often a client is asked whether it is still there.
    pub ping_ms: i64,
    /// How long a client may give no sign of life.
    pub silence_ms: i64,
    /// How long a session counts as valid without being looked up again.
    pub check_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sockets: 50_000,
            sockets_per_user: 500,
            held_bytes: 256 << 20,
            resume_ms: 5 * 60_000,
            ping_ms: 25_000,
            silence_ms: 100_000,
            check_ms: 10 * 60_000,
        }
    }
}

/// How a client that came back was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    /// It did not ask to go on with anything.
    Fresh,
    /// It got again what it had missed.
    Replayed,
    /// It had missed nothing.
    Lossless,
    /// What it missed is not there any more: it starts anew.
    Lost,
    /// Nobody knows what it wants to go on with: it starts anew.
    Unknown,
}

impl Reception {
    /// All of them, for metrics.
    pub const ALL: [Self; 5] = [Self::Fresh, Self::Replayed, Self::Lossless, Self::Lost, Self::Unknown];

    /// What it is called in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Replayed => "replayed",
            Self::Lossless => "lossless",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
        }
    }
}

/// A client's own reasons: no answer to its ping, a gap in the numbers.
const CODES_OF_CLIENTS: [u16; 2] = [4000, 4001];

/// What became of connections and events since the start, and how things stand.
#[derive(Debug, Default)]
pub struct Counts {
    /// Open sockets, authenticated or not.
    pub sockets: AtomicUsize,
    /// Connections that are known, with or without a socket.
    pub connections: AtomicUsize,
    /// Sockets that were refused because there were too many.
    pub refused: AtomicU64,
    /// Events that were put into a connection's queue.
    pub deliveries: AtomicU64,
    /// Events that a slow connection was spared.
    pub spared: AtomicU64,
    /// Events that could not be delivered, because a hub took none.
    pub lost: AtomicU64,
    /// Codes with which clients say that their connection before ended.
    breaks: Mutex<BTreeMap<u16, u64>>,
    /// Events that were published, by name.
    events: Mutex<BTreeMap<&'static str, u64>>,
    receptions: [AtomicU64; Reception::ALL.len()],
    ends: [AtomicU64; End::ALL.len()],
}

impl Counts {
    /// How many clients were received so.
    pub fn received(&self, reception: Reception) -> u64 {
        count(&Reception::ALL, &self.receptions, &reception).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// How many connections ended for that reason.
    pub fn ended(&self, end: End) -> u64 {
        count(&End::ALL, &self.ends, &end).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Takes note of the code with which a client says that its connection before ended. There are few codes.
    pub fn note_break(&self, code: u16) {
        let is_known = (1000..=1016).contains(&code) || CODES_OF_CLIENTS.contains(&code);
        if is_known {
            *self.breaks.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
        }
    }

    /// How often clients said so, by code.
    pub fn breaks(&self) -> BTreeMap<u16, u64> {
        self.breaks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many events were published, by name; those whose names are made up are one.
    pub fn events(&self) -> BTreeMap<&'static str, u64> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note_event(&self, event: &Event) {
        let name = if let Cow::Borrowed(name) = event.name { name } else { "other" };
        *self.events.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    }

    pub(super) fn receive(&self, reception: Reception) {
        if let Some(counter) = count(&Reception::ALL, &self.receptions, &reception) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn end(&self, end: End) {
        if let Some(counter) = count(&End::ALL, &self.ends, &end) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn count<'a, T: PartialEq>(all: &[T], counters: &'a [AtomicU64], wanted: &T) -> Option<&'a AtomicU64> {
    all.iter().position(|known| known == wanted).and_then(|at| counters.get(at))
}

/// What handles, hubs and sockets share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) counts: Arc<Counts>,
    pub(super) held: Arc<Held>,
    pub(super) is_stopping: AtomicBool,
    pub(super) entrance: Arc<Entrance>,
}

/// An open socket's place among all of them, until dropped.
#[derive(Debug)]
pub struct Seat(Arc<Counts>);

impl Seat {
    /// A place, if there is one left.
    pub(super) fn take(shared: &Shared) -> Option<Self> {
        let taken = shared.counts.sockets.fetch_add(1, Ordering::Relaxed);
        let seat = Self(shared.counts.clone());
        let is_free = taken < shared.limits.sockets && !shared.is_stopping.load(Ordering::Relaxed);
        if !is_free {
            shared.counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        is_free.then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}
