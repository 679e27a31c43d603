//! One client's connection: what waits to be sent to it, and what was sent last.
//!
//! It outlives the socket for a while, so that a client that comes back misses nothing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::end::End;
use super::frame::Frame;
use crate::clock::Uptime;

/// How much may wait for one connection.
pub const QUEUE: usize = 256;

/// With so much waiting, a connection is slow: it is spared what it can do without.
const SLOW: usize = 128;

/// How many of the last events a connection can be sent again.
pub const RING: usize = 128;

/// So many replies find room where no event does: a client is not ended for what it asks in the middle of a rush.
const REPLIES: usize = 64;

/// What is to be sent next.
#[derive(Debug)]
pub enum Outgoing {
    /// An event with its number.
    Event(Arc<Frame>, i64),
    /// The reply to a request, as it is.
    Reply(Box<[u8]>),
    /// A question whether the client is still there.
    Ping,
    /// Nothing to send: the session is to be looked up again.
    CheckSession,
    /// The last thing to say.
    End(End),
}

/// What a user looks at, as far as the client told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Viewing {
    /// The channel in the middle.
    pub channel: Option<String>,
    /// The channel of the thread in the thread view.
    pub thread_view: Option<String>,
    /// The channel of the thread at the right-hand side.
    pub side: Option<String>,
}

impl Viewing {
    /// Whether something that only viewers of that channel want is wanted. What was not told wants everything.
    pub fn wants(&self, channel_id: &str) -> bool {
        let told = [&self.channel, &self.thread_view, &self.side];
        told.iter().any(|viewed| viewed.as_deref().is_none_or(|viewed| viewed == channel_id))
    }
}

/// What came of offering an event to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    Accepted,
    Spared,
    Overflowed,
}

/// A client's connection, with or without a socket.
#[derive(Debug)]
pub struct Connection {
    /// What the client knows it by.
    pub id: Arc<str>,
    /// Whose it is.
    pub user_id: Arc<str>,
    /// Milliseconds of `Uptime`.
    heard_at: AtomicI64,
    outbox: Mutex<Outbox>,
    viewing: Mutex<Option<Box<Viewing>>>,
}

#[derive(Debug, Default)]
struct Outbox {
    waiting: VecDeque<Waiting>,
    /// The last events that were sent; the newest has the number before `next_seq`.
    sent: VecDeque<Arc<Frame>>,
    next_seq: i64,
    /// How many of those that wait were sent before; they take no room from others.
    again: usize,
    reader: Option<Waker>,
    /// Counts the sockets that had it.
    turn: u32,
    has_socket: bool,
    must_ping: bool,
    must_check: bool,
    /// Its socket is to be closed, for this reason; another may come after it.
    hang_up: Option<End>,
    end: Option<End>,
}

#[derive(Debug)]
enum Waiting {
    Event(Arc<Frame>),
    Reply(Box<[u8]>),
}

/// Whether a connection can go on where its client says it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Continuation {
    /// These many events are sent again.
    Replay(usize),
    /// Nothing was missed.
    Lossless,
    /// What is missing is not there any more.
    Lost,
}

impl Connection {
    pub(super) fn new(id: Arc<str>, user_id: Arc<str>, now: Uptime) -> Arc<Self> {
        Arc::new(Self {
            id,
            user_id,
            heard_at: AtomicI64::new(now.ms()),
            outbox: Mutex::default(),
            viewing: Mutex::default(),
        })
    }

    /// The client gave a sign of life.
    pub fn hear(&self, now: Uptime) {
        self.heard_at.store(now.ms(), Ordering::Relaxed);
    }

    /// When the client last gave a sign of life.
    pub(super) fn heard_at(&self) -> Uptime {
        Uptime::from_ms(self.heard_at.load(Ordering::Relaxed))
    }

    /// Changes what the client told about what its user looks at.
    pub fn view(&self, change: impl FnOnce(&mut Viewing)) {
        change(self.viewing.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default());
    }

    /// Whether something that only viewers of that channel want is wanted here.
    pub(super) fn wants(&self, channel_id: &str) -> bool {
        let viewing = self.viewing.lock().unwrap_or_else(PoisonError::into_inner);
        viewing.as_ref().is_none_or(|viewing| viewing.wants(channel_id))
    }

    /// Puts a reply behind everything that waits.
    pub fn reply(&self, reply: Vec<u8>) {
        let mut outbox = self.outbox();
        if outbox.waiting.len() < outbox.room() + REPLIES {
            outbox.waiting.push_back(Waiting::Reply(reply.into_boxed_slice()));
        } else {
            outbox.end(End::TooSlow);
        }
        wake(outbox);
    }

    pub(super) fn offer(&self, frame: &Arc<Frame>) -> Offered {
        let mut outbox = self.outbox();
        if outbox.end.is_some() || (frame.is_passing && outbox.waiting.len() >= SLOW) {
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

    /// Closes its socket and keeps everything else for the next; whether that is news.
    pub(super) fn hang_up(&self, end: End) -> bool {
        let mut outbox = self.outbox();
        let is_news = outbox.hang_up.is_none();
        outbox.hang_up.get_or_insert(end);
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

    /// Why it ended, if it did.
    pub(super) fn ended(&self) -> Option<End> {
        self.outbox().end
    }

    /// How much waits to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.outbox().waiting.len()
    }

    /// Gives up what could be sent again.
    pub(super) fn forget_sent(&self) {
        self.outbox().sent = VecDeque::new();
    }

    /// Goes on where the client says it stopped, if that can be. Whoever has it gets nothing of what is sent again.
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

    /// What waits here is to be sent by `successor`, behind what that has already.
    pub(super) fn hand_over(&self, successor: &Self) {
        let waiting = std::mem::take(&mut self.outbox().waiting);
        let events = waiting.into_iter().filter(|waiting| matches!(waiting, Waiting::Event(_)));
        let mut successor = successor.outbox();
        successor.waiting.extend(events);
        successor.again = successor.waiting.len().min(RING);
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the connection to another socket; the one that has it learns of it.
    fn take(&self) -> u32 {
        let mut outbox = self.outbox();
        outbox.has_socket = true;
        outbox.turn = outbox.turn.wrapping_add(1);
        outbox.must_ping = false;
        outbox.must_check = false;
        outbox.hang_up = None;
        outbox.waiting.retain(|waiting| matches!(waiting, Waiting::Event(_)));
        let turn = outbox.turn;
        wake(outbox);
        turn
    }

    fn release(&self, turn: u32) -> bool {
        let mut outbox = self.outbox();
        let is_mine = outbox.turn == turn;
        if is_mine {
            outbox.has_socket = false;
            outbox.reader = None;
            // A reply belongs to the socket on which it was asked for.
            outbox.waiting.retain(|waiting| matches!(waiting, Waiting::Event(_)));
        }
        is_mine
    }

    fn poll_next(&self, turn: u32, context: &Context<'_>) -> Poll<Outgoing> {
        let mut outbox = self.outbox();
        if outbox.turn != turn {
            return Poll::Ready(Outgoing::End(End::Replaced));
        }
        if let Some(end) = outbox.end.or(outbox.hang_up) {
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
    /// How much may wait.
    fn room(&self) -> usize {
        QUEUE + self.again
    }

    fn send(&mut self, frame: Arc<Frame>) -> Outgoing {
        let seq = self.next_seq;
        self.again = self.again.saturating_sub(1);
        self.next_seq += 1;
        if self.sent.len() == RING {
            self.sent.pop_front();
        }
        self.sent.push_back(frame.clone());
        Outgoing::Event(frame, seq)
    }

    /// The first reason stands. Nothing is sent after it, and nothing again.
    fn end(&mut self, end: End) {
        self.end.get_or_insert(end);
        self.waiting = VecDeque::new();
        self.sent = VecDeque::new();
    }
}

/// Wakes the socket once the outbox is free for it.
fn wake(mut outbox: MutexGuard<'_, Outbox>) {
    let reader = outbox.reader.take();
    drop(outbox);
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// Connections whose socket went away, until the hub takes note.
pub(super) type Left = Arc<Mutex<Vec<Arc<Connection>>>>;

/// A socket's hold on its connection; letting go of it leaves the connection to whoever resumes it.
#[derive(Debug)]
pub struct Hold {
    /// The connection.
    pub connection: Arc<Connection>,
    turn: u32,
    left: Left,
}

impl Hold {
    pub(super) fn on(connection: Arc<Connection>, left: &Left) -> Self {
        let turn = connection.take();
        Self { connection, turn, left: left.clone() }
    }

    /// What is to be sent next; the last thing is an end.
    pub fn poll_next(&self, context: &Context<'_>) -> Poll<Outgoing> {
        self.connection.poll_next(self.turn, context)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.connection.release(self.turn) {
            self.left.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection.clone());
        }
    }
}

#[cfg(test)]
#[path = "connection/tests.rs"]
mod tests;
