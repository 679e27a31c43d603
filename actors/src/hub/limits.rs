//! The limits for all connections together, and the counters for metrics.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

use super::Broadcast;
use super::crowds::Crowds;
use super::end::End;
use super::event::Event;
use super::frame::Held;
use super::pending_joins::PendingJoins;
use crate::clock::MINUTE_MS;

/// The limits for all connections together. Times are in milliseconds.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The maximum number of sockets at the same time.
    pub sockets: usize,
    /// The maximum number of sockets of one user at the same time.
    pub sockets_per_user: usize,
    /// The maximum number of bytes of events that wait or can be sent again.
    pub held_bytes: usize,
    /// The time for which a connection without a socket can be resumed without loss.
    pub resume_ms: i64,
    /// The interval between pings.
    pub ping_ms: i64,
    /// The maximum time without a sign of life of the client.
    pub silence_ms: i64,
    /// The time after which a session is looked up again.
    pub check_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sockets: 50_000,
            sockets_per_user: 500,
            held_bytes: 256 << 20,
            resume_ms: 5 * MINUTE_MS,
            ping_ms: 25_000,
            silence_ms: 100_000,
            check_ms: 10 * MINUTE_MS,
        }
    }
}

/// The result of a join, as counted in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinOutcome {
    /// The client did not ask to resume a connection.
    Fresh,
    /// The client got the missed events again.
    Replayed,
    /// The client missed no event.
    Lossless,
    /// The missed events are not available any more, so the client gets a new connection.
    Lost,
    /// The requested connection is unknown, so the client gets a new connection.
    Unknown,
    /// The client resumed a connection of another node.
    Moved,
}

impl JoinOutcome {
    /// All variants, for metrics.
    pub const ALL: [Self; 6] = [Self::Fresh, Self::Replayed, Self::Lossless, Self::Lost, Self::Unknown, Self::Moved];

    /// Returns the name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Replayed => "replayed",
            Self::Lossless => "lossless",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
            Self::Moved => "moved",
        }
    }
}

/// Close codes that clients define: no answer to their ping (4000), a gap in the event numbers (4001).
const CODES_OF_CLIENTS: [u16; 2] = [4000, 4001];

/// Counters of connections and events since the start, and the current numbers.
#[derive(Debug, Default)]
pub struct Counts {
    /// Open sockets, authenticated or not.
    pub sockets: AtomicUsize,
    /// Connections that can receive events, with or without a socket.
    pub connections: AtomicUsize,
    /// Sockets that were refused at a limit.
    pub refused: AtomicU64,
    /// Events that were put into a connection's queue.
    pub deliveries: AtomicU64,
    /// Events that were skipped, because the connection was slow or had ended.
    pub spared: AtomicU64,
    /// Events that were not delivered, because a hub did not take the message.
    pub lost: AtomicU64,
    /// The close codes of previous connections, as clients report them, with the number of reports.
    breaks: Mutex<BTreeMap<u16, u64>>,
    /// Published events, by name.
    events: Mutex<BTreeMap<&'static str, u64>>,
    join_outcomes: [AtomicU64; JoinOutcome::ALL.len()],
    ends: [AtomicU64; End::ALL.len()],
}

impl Counts {
    /// Returns the number of joins with that result.
    pub fn joined_with(&self, outcome: JoinOutcome) -> u64 {
        count(&JoinOutcome::ALL, &self.join_outcomes, &outcome).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Returns the number of connections that ended for that reason.
    pub fn ended(&self, end: End) -> u64 {
        count(&End::ALL, &self.ends, &end).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Counts the close code of a client's previous connection. Unknown codes are ignored, which bounds the map.
    pub fn note_break(&self, code: u16) {
        let is_known = (1000..=1016).contains(&code) || CODES_OF_CLIENTS.contains(&code);
        if is_known {
            *self.breaks.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
        }
    }

    /// Returns the number of reports for each close code.
    pub fn breaks(&self) -> BTreeMap<u16, u64> {
        self.breaks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the number of published events by name. Names that are made at run time count together as `other`.
    pub fn events(&self) -> BTreeMap<&'static str, u64> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note_event(&self, event: &Event) {
        let name = if let Cow::Borrowed(name) = event.name { name } else { "other" };
        *self.events.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    }

    pub(super) fn count_join(&self, outcome: JoinOutcome) {
        if let Some(counter) = count(&JoinOutcome::ALL, &self.join_outcomes, &outcome) {
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

/// State that handles, hubs and sockets share.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) counts: Arc<Counts>,
    pub(super) held: Arc<Held>,
    pub(super) is_stopping: AtomicBool,
    pub(super) pending_joins: Arc<PendingJoins>,
    pub(super) crowds: Crowds,
    /// Where events are published if there are other nodes. They come back from there.
    pub(super) broadcast: OnceLock<Arc<dyn Broadcast>>,
    /// The number of announcements to clients of this node that are under way.
    pub(super) announcing: AtomicUsize,
    /// Returns true if every change is announced.
    pub(super) announced: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
    /// Rings when a row of a connection is due soon.
    pub(super) rows_due: Notify,
    /// Rings when rows were changed.
    pub(super) rows_changed: Notify,
}

impl Shared {
    pub(super) fn new(limits: Limits, is_stopping: bool) -> Arc<Self> {
        Arc::new(Self {
            limits,
            counts: Arc::default(),
            held: Arc::default(),
            is_stopping: is_stopping.into(),
            pending_joins: Arc::default(),
            crowds: Crowds::default(),
            broadcast: OnceLock::new(),
            announcing: AtomicUsize::default(),
            announced: OnceLock::new(),
            rows_due: Notify::new(),
            rows_changed: Notify::new(),
        })
    }
}

/// The place of one open socket in the limit for sockets. It is free again when this is dropped.
#[derive(Debug)]
pub struct SocketPermit(Arc<Counts>);

impl SocketPermit {
    /// Takes a place. Returns `None` at the limit or while the server stops.
    pub(super) fn take(shared: &Shared) -> Option<Self> {
        let taken = shared.counts.sockets.fetch_add(1, Ordering::Relaxed);
        let socket_permit = Self(shared.counts.clone());
        let is_free = taken < shared.limits.sockets && !shared.is_stopping.load(Ordering::Relaxed);
        if !is_free {
            shared.counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        is_free.then_some(socket_permit)
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}
