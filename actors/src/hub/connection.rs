//! One client's connection: the queue of events and replies to send, and the ring of events that were sent last.
//!
//! It outlives its socket for a limited time, so that a client that reconnects misses no event.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::end::End;
use super::frame::Frame;
use super::viewing::Viewing;
use crate::clock::Uptime;

/// The maximum number of events that wait for one connection.
pub const MAX_QUEUED_EVENTS: usize = 256;

/// A connection with this many waiting events and replies is slow: it gets no passing events, such as `typing`.
const MAX_QUEUED_FOR_PASSING: usize = 128;

/// The number of sent events that a connection keeps, so that it can send them again.
pub const MAX_RING_EVENTS: usize = 128;

/// The number of extra places for replies. A client that sends requests during many events is not ended for its
/// replies.
const MAX_EXTRA_REPLIES: usize = 64;

/// The number of waiting events and replies from which a connection that gets all events gets no more passing ones soon.
const MIN_QUEUED_WHEN_SLOWING: usize = 96;

/// That number for a connection without a socket, whose client may come to another node.
const MIN_QUEUED_WHEN_ABSENT: usize = 192;

/// A connection that was slow counts as slow until fewer events and replies wait.
const MAX_QUEUED_WHEN_FAST: usize = 16;

/// The next thing that a socket does for its connection.
#[derive(Debug)]
pub enum Outgoing {
    /// An event with its number.
    Event(Arc<Frame>, i64),
    /// The reply to a request, as it is.
    Reply(Box<[u8]>),
    /// A ping, to learn whether the client is still there.
    Ping,
    /// Look the session up again; this sends nothing.
    CheckSession,
    /// The end of the connection, with its reason.
    End(End),
}

/// The result of offering an event to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    Accepted,
    Spared,
    Overflowed,
}

/// A client's connection, with or without a socket.
#[derive(Debug)]
pub struct Connection {
    /// The id that the client knows.
    pub id: Arc<str>,
    /// The user's id.
    pub user_id: Arc<str>,
    /// The time of the client's last sign of life, in milliseconds of `Uptime`.
    last_input_at: AtomicI64,
    outbox: Mutex<Outbox>,
    viewing: Mutex<Option<Box<Viewing>>>,
}

#[derive(Debug, Default)]
struct Outbox {
    waiting: VecDeque<Waiting>,
    /// The last events that were sent, newest last. The newest has the number `next_seq - 1`.
    sent: VecDeque<Arc<Frame>>,
    next_seq: i64,
    /// The number of waiting events that were sent before. They do not count against the limit of the queue.
    again: usize,
    reader: Option<Waker>,
    /// The number of the current socket. Only the socket with this number may send.
    turn: u32,
    has_socket: bool,
    numbering: Numbering,
    must_ping: bool,
    must_check: bool,
    /// The reason to close the current socket. Another socket may resume the connection.
    close_socket: Option<End>,
    end: Option<End>,
}

/// The events that get a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Numbering {
    /// Some are left out: passing ones for a slow client, and those of channels out of view.
    #[default]
    Selective,
    /// All, so that another node can compute the numbers.
    Exact,
}

#[derive(Debug)]
enum Waiting {
    Event(Arc<Frame>),
    Reply(Box<[u8]>),
}

/// The result of an attempt to resume a connection at the number that the client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Continuation {
    /// This many events are sent again.
    Replay(usize),
    /// The client missed no event.
    Lossless,
    /// The missed events are not in the ring any more.
    Lost,
}

impl Connection {
    pub(super) fn new(id: Arc<str>, user_id: Arc<str>, now: Uptime) -> Arc<Self> {
        Arc::new(Self {
            id,
            user_id,
            last_input_at: AtomicI64::new(now.ms()),
            outbox: Mutex::default(),
            viewing: Mutex::default(),
        })
    }

    /// Notes a sign of life of the client.
    pub fn note_sign_of_life(&self, now: Uptime) {
        self.last_input_at.store(now.ms(), Ordering::Relaxed);
    }

    /// Returns the time of the client's last sign of life.
    pub(super) fn last_input_at(&self) -> Uptime {
        Uptime::from_ms(self.last_input_at.load(Ordering::Relaxed))
    }

    /// Changes the channels that the client reported as viewed.
    pub fn view(&self, change: impl FnOnce(&mut Viewing)) {
        change(self.viewing.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default());
    }

    /// Returns true if this connection gets events for viewers of that channel.
    pub(super) fn wants(&self, channel_id: &str) -> bool {
        let viewing = self.viewing.lock().unwrap_or_else(PoisonError::into_inner);
        viewing.as_ref().is_none_or(|viewing| viewing.wants(channel_id)) || self.is_exact()
    }

    /// Returns true if events are left out for its client or are to be: it is slow, or reported what it shows.
    pub fn needs_exceptions(&self) -> bool {
        let viewing = self.viewing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_complete = viewing.as_ref().is_some_and(|viewing| viewing.is_complete());
        let outbox = self.outbox();
        let is_slow = match outbox.numbering {
            Numbering::Selective => outbox.waiting.len() >= MAX_QUEUED_WHEN_FAST,
            Numbering::Exact => {
                let least = if outbox.has_socket { MIN_QUEUED_WHEN_SLOWING } else { MIN_QUEUED_WHEN_ABSENT };
                outbox.waiting.len() >= least + outbox.again
            }
        };
        is_complete || is_slow
    }

    /// Returns true while another node may compute the numbers of its events.
    pub fn is_exact(&self) -> bool {
        self.outbox().numbering == Numbering::Exact
    }

    /// Numbers all events from now on, so that another node can compute them. Returns the number of the next one.
    pub(super) fn begin_exact(&self) -> i64 {
        let mut outbox = self.outbox();
        outbox.numbering = Numbering::Exact;
        let events = outbox.waiting.iter().filter(|waiting| matches!(waiting, Waiting::Event(_))).count();
        outbox.next_seq.saturating_add(i64::try_from(events).unwrap_or(i64::MAX))
    }

    /// Leaves events out where that is useful, because no other node can compute the numbers.
    pub(super) fn end_exact(&self) {
        self.outbox().numbering = Numbering::Selective;
    }

    /// Puts events that the client missed on another node before those that came since. The first of all has the number
    /// `wanted`. Returns false if the connection has ended.
    pub(super) fn adopt(&self, missed: Vec<Arc<Frame>>, wanted: i64) -> bool {
        let mut outbox = self.outbox();
        outbox.next_seq = wanted;
        outbox.again = missed.len();
        for frame in missed.into_iter().rev() {
            outbox.waiting.push_front(Waiting::Event(frame));
        }
        outbox.end.is_none()
    }

    /// Puts a reply at the end of the queue. Ends the connection if there is no room.
    pub fn reply(&self, reply: Vec<u8>) {
        let mut outbox = self.outbox();
        if outbox.waiting.len() < outbox.room() + MAX_EXTRA_REPLIES {
            outbox.waiting.push_back(Waiting::Reply(reply.into_boxed_slice()));
        } else {
            outbox.end(End::TooSlow);
        }
        wake(outbox);
    }

    pub(super) fn offer(&self, frame: &Arc<Frame>) -> Offered {
        let mut outbox = self.outbox();
        let is_slow = outbox.waiting.len() >= MAX_QUEUED_FOR_PASSING;
        let is_selective = outbox.numbering == Numbering::Selective;
        if outbox.end.is_some() || (frame.is_passing && is_slow && is_selective) {
            return Offered::Spared;
        }
        if outbox.waiting.len() >= outbox.room() {
            outbox.end(End::TooSlow);
            wake(outbox);
            return Offered::Overflowed;
        }
        outbox.waiting.push_back(Waiting::Event(frame.clone()));
        wake(outbox);
        Offered::Accepted
    }

    pub(super) fn end(&self, end: End) {
        let mut outbox = self.outbox();
        outbox.end(end);
        wake(outbox);
    }

    /// Closes the current socket and keeps the rest for the next one. Returns false if that was requested before.
    pub(super) fn close_socket(&self, end: End) -> bool {
        let mut outbox = self.outbox();
        let is_news = outbox.close_socket.is_none();
        outbox.close_socket.get_or_insert(end);
        wake(outbox);
        is_news
    }

    pub(super) fn ping(&self) {
        let mut outbox = self.outbox();
        outbox.must_ping = true;
        wake(outbox);
    }

    pub(super) fn check_session(&self) {
        let mut outbox = self.outbox();
        outbox.must_check = true;
        wake(outbox);
    }

    pub(super) fn has_socket(&self) -> bool {
        self.outbox().has_socket
    }

    /// Returns the reason of the end, if the connection has ended.
    pub(super) fn ended(&self) -> Option<End> {
        self.outbox().end
    }

    /// Returns the number of waiting events and replies.
    pub(super) fn waiting(&self) -> usize {
        self.outbox().waiting.len()
    }

    /// Drops the events that could be sent again.
    pub(super) fn clear_ring(&self) {
        self.outbox().sent = VecDeque::new();
    }

    /// Resumes at the event number `wanted`, if possible. The socket that has the connection loses it first, so that it
    /// gets none of the events that are sent again.
    pub(super) fn resume(&self, wanted: i64) -> Continuation {
        let mut outbox = self.outbox();
        outbox.turn = outbox.turn.wrapping_add(1);
        let Ok(missed) = usize::try_from(outbox.next_seq.saturating_sub(wanted)) else {
            return Continuation::Lost;
        };
        if missed == 0 {
            return Continuation::Lossless;
        }
        if missed > outbox.sent.len() {
            return Continuation::Lost;
        }
        let kept = outbox.sent.len() - missed;
        let again = outbox.sent.split_off(kept);
        for frame in again.into_iter().rev() {
            outbox.waiting.push_front(Waiting::Event(frame));
        }
        outbox.next_seq = wanted;
        outbox.again += missed;
        Continuation::Replay(missed)
    }

    /// Moves the waiting events to the queue of `successor`, behind its own.
    pub(super) fn hand_over(&self, successor: &Self) {
        let waiting = std::mem::take(&mut self.outbox().waiting);
        let events = waiting.into_iter().filter(|waiting| matches!(waiting, Waiting::Event(_)));
        let mut successor = successor.outbox();
        successor.waiting.extend(events);
        successor.again = successor.waiting.len().min(MAX_RING_EVENTS);
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the connection to another socket. The socket that had it is woken and ends.
    pub(super) fn take(&self) -> u32 {
        let mut outbox = self.outbox();
        outbox.has_socket = true;
        outbox.turn = outbox.turn.wrapping_add(1);
        outbox.must_ping = false;
        outbox.must_check = false;
        outbox.close_socket = None;
        outbox.waiting.retain(|waiting| matches!(waiting, Waiting::Event(_)));
        let turn = outbox.turn;
        wake(outbox);
        turn
    }

    pub(super) fn release(&self, turn: u32) -> bool {
        let mut outbox = self.outbox();
        let is_mine = outbox.turn == turn;
        if is_mine {
            outbox.has_socket = false;
            outbox.reader = None;
            // A reply belongs to the socket on which the request came.
            outbox.waiting.retain(|waiting| matches!(waiting, Waiting::Event(_)));
        }
        is_mine
    }

    pub(super) fn poll_next(&self, turn: u32, context: &Context<'_>) -> Poll<Outgoing> {
        let mut outbox = self.outbox();
        if outbox.turn != turn {
            return Poll::Ready(Outgoing::End(End::Replaced));
        }
        if let Some(end) = outbox.end.or(outbox.close_socket) {
            return Poll::Ready(Outgoing::End(end));
        }
        if std::mem::take(&mut outbox.must_check) {
            return Poll::Ready(Outgoing::CheckSession);
        }
        if std::mem::take(&mut outbox.must_ping) {
            return Poll::Ready(Outgoing::Ping);
        }
        match outbox.waiting.pop_front() {
            Some(Waiting::Event(frame)) => Poll::Ready(outbox.send(frame)),
            Some(Waiting::Reply(reply)) => Poll::Ready(Outgoing::Reply(reply)),
            None => {
                let is_known = outbox.reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker()));
                if !is_known {
                    outbox.reader = Some(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Outbox {
    /// Returns the maximum number of waiting events.
    fn room(&self) -> usize {
        MAX_QUEUED_EVENTS + self.again
    }

    fn send(&mut self, frame: Arc<Frame>) -> Outgoing {
        let seq = self.next_seq;
        self.again = self.again.saturating_sub(1);
        self.next_seq += 1;
        if self.sent.len() == MAX_RING_EVENTS {
            self.sent.pop_front();
        }
        self.sent.push_back(frame.clone());
        Outgoing::Event(frame, seq)
    }

    /// Ends the connection and drops its events. The first reason stays.
    fn end(&mut self, end: End) {
        self.end.get_or_insert(end);
        self.waiting = VecDeque::new();
        self.sent = VecDeque::new();
    }
}

/// Releases the lock of the outbox, then wakes the socket.
fn wake(mut outbox: MutexGuard<'_, Outbox>) {
    let reader = outbox.reader.take();
    drop(outbox);
    if let Some(reader) = reader {
        reader.wake();
    }
}

#[cfg(test)]
#[path = "connection/tests.rs"]
mod tests;
