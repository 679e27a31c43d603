//! One client's WebSocket: what it asks, and what the hub has for it.
//!
//! The socket is the body of the answer that opened it: one task and no channel for each connection.
//! It reads requests, one at a time, and writes what waits in the connection's queue; the hub never waits for it.

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
use quarterdeck_actors::hub::{Hold, Outgoing, Seat};
use quarterdeck_actors::presence::PresenceHandle;
use quarterdeck_actors::session::Session as Stored;
use tokio::time::{Instant, Sleep, sleep};

use self::close::Close;
use self::frames::{Frames, Heard};
use self::message::{Asked, Demand};
pub(crate) use self::upgrade::{VERSION, is_refusal, open};
use crate::base::pause::extension;
use crate::web::state::AppState;

/// How long a client may take to say who it is.
const AUTHENTICATION: Duration = Duration::from_secs(5);

/// So much is written at once, in bytes.
const CHUNK: usize = 16 * 1024;

/// So many messages of a client are handled before others have their turn.
const TURN: usize = 32;

/// The connection that a client wants to go on with, and the number of the event that it expects next.
type Resume = Option<(String, i64)>;

/// A client's WebSocket.
pub(crate) struct Socket {
    incoming: Payload,
    frames: Frames,
    app: Data<AppState>,
    party: Party,
    /// What the client asked for and waits for; meanwhile nothing more is read from it.
    work: Option<LocalBoxFuture<'static, Outcome>>,
    _seat: Seat,
}

/// Who is at the other end.
enum Party {
    /// Nobody knows yet; for so long that may be so.
    Unknown { deadline: Pin<Box<Sleep>>, resume: Resume },
    /// Somebody with a session.
    Known { hold: Hold, session: Arc<Stored>, _attendance: Attendance },
    /// Nobody any more: everything was said.
    Gone,
}

/// What became of a request.
enum Outcome {
    /// Nothing more is to be said.
    Done,
    /// The client said who it is.
    Authenticated { hold: Hold, session: Arc<Stored>, reply: Vec<u8> },
    /// The session was looked up again.
    Checked(Arc<Stored>),
    /// The connection ends with a close frame.
    Close(Close),
    /// The connection ends without a word.
    Drop,
}

impl Socket {
    fn new(incoming: Payload, app: Data<AppState>, party: Party, seat: Seat) -> Self {
        Self { incoming, frames: Frames::default(), app, party, work: None, _seat: seat }
    }

    /// Goes on as far as possible without waiting.
    fn advance(&mut self, context: &mut Context<'_>, out: &mut BytesMut) {
        // First, so that a client that sends all the while gains no time by it.
        if self.is_overdue(context) {
            self.party = Party::Gone;
            return;
        }
        let mut rest = TURN;
        loop {
            let has_worked = self.poll_work(context, out).is_ready();
            let has_heard = self.work.is_none() && self.poll_incoming(context, out).is_ready();
            let was_free = self.work.is_none();
            self.poll_outgoing(context, out);
            // Work that begins here has not been polled: nothing would wake it.
            let has_begun = was_free && self.work.is_some();
            if matches!(self.party, Party::Gone) || out.len() >= CHUNK {
                return;
            }
            if !has_worked && !has_heard && !has_begun {
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
        let Party::Unknown { deadline, .. } = &mut self.party else { return false };
        while deadline.as_mut().poll(context).is_ready() {
            if extension(deadline.deadline()).is_none() {
                return true;
            }
            // The introduction may have come during the pause.
            deadline.as_mut().reset(Instant::now() + AUTHENTICATION);
        }
        false
    }

    fn poll_work(&mut self, context: &mut Context<'_>, out: &mut BytesMut) -> Poll<()> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let outcome = ready!(work.as_mut().poll(context));
        self.work = None;
        match outcome {
            Outcome::Done => {}
            Outcome::Authenticated { hold, session, reply } => {
                hold.connection.reply(reply);
                self.party = known(&self.app, hold, session);
            }
            Outcome::Checked(fresh) => {
                if let Party::Known { session, .. } = &mut self.party {
                    *session = fresh;
                }
            }
            Outcome::Close(close) => self.close(close, out),
            Outcome::Drop => self.party = Party::Gone,
        }
        Poll::Ready(())
    }

    fn poll_incoming(&mut self, context: &mut Context<'_>, out: &mut BytesMut) -> Poll<()> {
        if matches!(self.party, Party::Gone) {
            return Poll::Pending;
        }
        match ready!(self.frames.poll_next(&mut self.incoming, context)) {
            Heard::Request(message) => self.handle(&message),
            Heard::Ping(payload) => frames::write_pong(&payload, out),
            Heard::Pong => {
                if let Party::Known { hold, .. } = &self.party {
                    hold.connection.hear(Uptime::now());
                    self.app.actors.presence.heard(&hold.connection.user_id);
                }
            }
            Heard::Close(code) => self.close(Close::echo(code), out),
            Heard::Fault(close) => self.close(close, out),
            Heard::Nothing => self.party = Party::Gone,
        }
        Poll::Ready(())
    }

    fn poll_outgoing(&mut self, context: &Context<'_>, out: &mut BytesMut) {
        let mut text = Vec::new();
        while out.len() < CHUNK
            && let Party::Known { hold, session, .. } = &self.party
            && let Poll::Ready(outgoing) = hold.poll_next(context)
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
                    let work = actions::check_session(self.app.clone(), hold.connection.clone(), session.clone());
                    self.work.get_or_insert(work);
                }
                Outgoing::End(end) => self.close(Close::because(end), out),
            }
        }
    }

    fn handle(&mut self, message: &Demand) {
        let Some(asked) = Asked::read(message) else {
            self.party = Party::Gone;
            return;
        };
        match &mut self.party {
            Party::Known { hold, session, .. } => {
                self.work = actions::perform(&self.app, &hold.connection, session, asked);
            }
            Party::Unknown { resume, .. } => {
                self.work = actions::introduce(&self.app, resume, asked);
            }
            Party::Gone => {}
        }
    }

    fn close(&mut self, close: Close, out: &mut BytesMut) {
        frames::write_close(close, out);
        self.party = Party::Gone;
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
        if matches!(socket.party, Party::Gone) { Poll::Ready(None) } else { Poll::Pending }
    }
}

/// A user's socket, as others see it, until dropped.
struct Attendance {
    presence: PresenceHandle,
    user_id: Arc<str>,
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.presence.disconnected(&self.user_id);
    }
}

/// Somebody who is there now.
fn known(app: &AppState, hold: Hold, session: Arc<Stored>) -> Party {
    let user_id = hold.connection.user_id.clone();
    app.actors.presence.connected(&user_id);
    Party::Known { hold, session, _attendance: Attendance { presence: app.actors.presence.clone(), user_id } }
}

/// Somebody who has not said who they are.
fn unknown(resume: Resume) -> Party {
    Party::Unknown { deadline: Box::pin(sleep(AUTHENTICATION)), resume }
}
