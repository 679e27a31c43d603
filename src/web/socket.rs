//! One client's WebSocket: its requests, and the events that the hub queues for it.
//!
//! The socket is the body of the response that opened it, so a connection needs no task and no channel of its own. It
//! reads requests one at a time and writes what waits in the connection's queue. The hub never waits for it.

mod actions;
mod close;
mod frames;
mod message;
mod origin;
mod upgrade;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::{Bytes, BytesMut, Data, Payload};
use futures_util::future::LocalBoxFuture;
use quarterdeck_actors::clock::Uptime;
use quarterdeck_actors::hub::{ConnectionGuard, Outgoing, SocketPermit};
use quarterdeck_actors::pause::extension;
use quarterdeck_actors::presence::PresenceHandle;
use quarterdeck_actors::session::Session as Stored;
use tokio::time::{Instant, Sleep, sleep};

use self::close::Close;
use self::frames::{Frames, Received};
use self::message::{ClientRequest, Encoded};
pub(crate) use self::upgrade::{OPEN, VERSION, is_refusal};
use crate::web::line::EndOfInput;
use crate::web::state::AppState;

/// The time that a client has to authenticate.
const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(5);

/// The number of bytes after which one poll stops writing.
const WRITE_CHUNK_BYTES: usize = 16 * 1024;

/// The number of messages that one poll handles before the other connections of the worker get their turn.
const MAX_MESSAGES_PER_POLL: usize = 32;

/// The wishes of a client for its connection.
#[derive(Default)]
struct Wishes {
    /// The connection that it resumes, and the sequence number of the event that it expects next.
    resume: Option<(String, i64)>,
    /// True if it acknowledges posts.
    acknowledges: bool,
}

/// A client's WebSocket.
pub(crate) struct Socket {
    incoming: Payload,
    frames: Frames,
    app: Data<AppState>,
    client: ClientState,
    /// The request that is being handled. No further request is read from the client until it is done.
    work: Option<LocalBoxFuture<'static, Outcome>>,
    end_of_input: Option<EndOfInput>,
    _permit: SocketPermit,
}

/// The state of the client of this socket.
enum ClientState {
    /// The client has not authenticated; it must do so before `deadline`.
    Unknown { deadline: Pin<Box<Sleep>>, wishes: Wishes },
    /// The client has authenticated.
    Known { guard: ConnectionGuard, session: Arc<Stored>, _presence: PresenceGuard },
    /// The socket ends after the bytes that are already written.
    Gone,
}

/// The outcome of a request.
enum Outcome {
    /// The request is done; its reply, if any, is queued.
    Done,
    /// The client has authenticated.
    Authenticated { guard: ConnectionGuard, session: Arc<Stored>, reply: Vec<u8> },
    /// The session was read again.
    Checked(Arc<Stored>),
    /// The connection ends with a close frame.
    Close(Close),
    /// The connection ends without a close frame.
    Drop,
}

impl Socket {
    fn new(
        incoming: Payload,
        app: Data<AppState>,
        client: ClientState,
        end_of_input: Option<EndOfInput>,
        permit: SocketPermit,
    ) -> Self {
        Self { incoming, frames: Frames::default(), app, client, work: None, end_of_input, _permit: permit }
    }

    /// Reads, handles and writes until everything has to wait, or the limits of one poll are reached.
    fn advance(&mut self, context: &mut Context<'_>, out: &mut BytesMut) {
        // The deadline is checked first, so that a client cannot extend it by sending all the time.
        if self.is_overdue(context) {
            self.client = ClientState::Gone;
            return;
        }
        let mut rest = MAX_MESSAGES_PER_POLL;
        loop {
            let has_worked = self.poll_work(context, out).is_ready();
            let has_read = self.work.is_none() && self.poll_incoming(context, out).is_ready();
            let was_free = self.work.is_none();
            self.poll_outgoing(context, out);
            // Work that begins in this round has not been polled, so no waker is registered for it. The loop must run
            // again.
            let has_begun = was_free && self.work.is_some();
            if matches!(self.client, ClientState::Gone) || out.len() >= WRITE_CHUNK_BYTES {
                return;
            }
            if !has_worked && !has_read && !has_begun {
                return;
            }
            rest -= 1;
            if rest == 0 {
                context.waker().wake_by_ref();
                return;
            }
        }
    }

    fn is_overdue(&mut self, context: &mut Context<'_>) -> bool {
        let ClientState::Unknown { deadline, .. } = &mut self.client else { return false };
        while deadline.as_mut().poll(context).is_ready() {
            if extension(deadline.deadline()).is_none() {
                return true;
            }
            // The authentication may have arrived while the process was paused, so the client gets the full time again.
            deadline.as_mut().reset(Instant::now() + AUTHENTICATION_TIMEOUT);
        }
        false
    }

    fn poll_work(&mut self, context: &mut Context<'_>, out: &mut BytesMut) -> Poll<()> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let outcome = ready!(work.as_mut().poll(context));
        self.work = None;
        match outcome {
            Outcome::Done => {}
            Outcome::Authenticated { guard, session, reply } => {
                guard.connection.reply(reply);
                self.client = known(&self.app, guard, session);
            }
            Outcome::Checked(fresh) => {
                if let ClientState::Known { session, .. } = &mut self.client {
                    *session = fresh;
                }
            }
            Outcome::Close(close) => self.close(close, out),
            Outcome::Drop => self.client = ClientState::Gone,
        }
        Poll::Ready(())
    }

    fn poll_incoming(&mut self, context: &mut Context<'_>, out: &mut BytesMut) -> Poll<()> {
        if matches!(self.client, ClientState::Gone) {
            return Poll::Pending;
        }
        match ready!(self.frames.poll_next(&mut self.incoming, context)) {
            Received::Request(message) => self.handle(&message),
            Received::Ping(payload) => frames::write_pong(&payload, out),
            Received::Pong => {
                if let ClientState::Known { guard, .. } = &self.client {
                    guard.connection.note_sign_of_life(Uptime::now());
                    self.app.actors.presence.pong_received(&guard.connection.user_id);
                }
            }
            Received::Close(code) => {
                self.end_of_input.iter().for_each(EndOfInput::mark);
                self.close(Close::echo(code), out);
            }
            Received::Fault(close) => self.close(close, out),
            Received::Nothing => self.client = ClientState::Gone,
        }
        Poll::Ready(())
    }

    fn poll_outgoing(&mut self, context: &Context<'_>, out: &mut BytesMut) {
        let mut text = Vec::new();
        while out.len() < WRITE_CHUNK_BYTES
            && let ClientState::Known { guard, session, .. } = &self.client
            && let Poll::Ready(outgoing) = guard.poll_next(context)
        {
            text.clear();
            match outgoing {
                Outgoing::Event(frame, seq) => {
                    frame.write(seq, &mut text);
                    frames::write_text(&text, out);
                }
                Outgoing::Reply(reply) => frames::write_text(&reply, out),
                Outgoing::Ping => frames::write_ping(out),
                Outgoing::CheckSession => {
                    let work = actions::check_session(self.app.clone(), guard.connection.clone(), session.clone());
                    self.work.get_or_insert(work);
                }
                Outgoing::End(end) => self.close(Close::because(end), out),
            }
        }
    }

    fn handle(&mut self, message: &Encoded) {
        let Some(request) = ClientRequest::read(message) else {
            self.client = ClientState::Gone;
            return;
        };
        match &mut self.client {
            ClientState::Known { guard, session, .. } => {
                self.work = actions::perform(&self.app, &guard.connection, session, request);
            }
            ClientState::Unknown { wishes, .. } => {
                self.work = actions::handle_unauthenticated(&self.app, wishes, request);
            }
            ClientState::Gone => {}
        }
    }

    fn close(&mut self, close: Close, out: &mut BytesMut) {
        frames::write_close(close, out);
        self.client = ClientState::Gone;
    }
}

impl MessageBody for Socket {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let socket = self.get_mut();
        let mut out = BytesMut::new();
        socket.advance(context, &mut out);
        if !out.is_empty() {
            return Poll::Ready(Some(Ok(out.freeze())));
        }
        if matches!(socket.client, ClientState::Gone) { Poll::Ready(None) } else { Poll::Pending }
    }
}

/// Marks the user as connected for presence. Dropping it marks the socket as disconnected.
struct PresenceGuard {
    presence: PresenceHandle,
    user_id: Arc<str>,
}

impl Drop for PresenceGuard {
    fn drop(&mut self) {
        self.presence.disconnected(&self.user_id);
    }
}

/// Returns the state of an authenticated client, and notifies presence that its user is connected.
fn known(app: &AppState, guard: ConnectionGuard, session: Arc<Stored>) -> ClientState {
    let user_id = guard.connection.user_id.clone();
    app.actors.presence.connected(&user_id);
    ClientState::Known { guard, session, _presence: PresenceGuard { presence: app.actors.presence.clone(), user_id } }
}

/// Returns the state of a client that has not authenticated.
fn unknown(wishes: Wishes) -> ClientState {
    ClientState::Unknown { deadline: Box::pin(sleep(AUTHENTICATION_TIMEOUT)), wishes }
}
