//! The incoming body of a request, and how the server handles a body that is still unread when the response is
//! sent.
//!
//! An unread body with a small `Content-Length` is read and discarded first, and the connection stays open. Any other
//! unread body closes the connection: the response says so, the body stays unread, and none of its bytes is ever parsed
//! as another request.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{Stream, StreamExt};
use tokio::time::timeout;

use crate::base::traffic::InFlight;
use crate::web::answer::outgoing::Outgoing;
use crate::web::connections::Permit;
use crate::web::line::InProgress;

/// The largest `Content-Length` up to which an unread body is discarded to keep the connection open, in bytes.
const MAX_DRAINED_BYTES: u64 = 1 << 20;

/// The timeout for discarding an unread body.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The body of a request.
pub(super) struct Incoming {
    source: Source,
    announced: Option<u64>,
}

/// The shared payload. The handler reads it, and the pipeline checks afterwards if it was read to the end.
#[derive(Clone)]
struct Source {
    payload: Rc<RefCell<Payload>>,
    is_over: Rc<Cell<bool>>,
}

impl Stream for Source {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut *self.payload.borrow_mut()).poll_next(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.is_over.set(true);
        }
        polled
    }
}

impl Incoming {
    pub(super) fn new(http: &HttpRequest, payload: Payload) -> Self {
        let is_over = Rc::new(Cell::new(matches!(payload, Payload::None)));
        Self { source: Source { payload: Rc::new(RefCell::new(payload)), is_over }, announced: announced(http) }
    }

    /// Returns the value of `Content-Length`, in bytes.
    pub(super) fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Returns the payload for the handler.
    pub(super) fn for_handler(&self) -> Payload {
        if self.source.is_over.get() {
            return Payload::None;
        }
        Payload::Stream { payload: Box::pin(self.source.clone()) }
    }

    /// Discards an unread body or marks the connection for closing. Returns the response with everything that must live
    /// as long as its body.
    pub(super) async fn settle(
        self,
        mut answer: HttpResponse<Outgoing>,
        in_progress: Option<InProgress>,
        permit: Option<Permit>,
        sending: InFlight,
    ) -> HttpResponse<HeldBody> {
        let is_switch = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        let is_read = is_switch || self.is_drained().await;
        if !is_read {
            answer.head_mut().set_connection_type(ConnectionType::Close);
            if let Some(in_progress) = &in_progress {
                in_progress.refuse();
            }
        }
        if let Some(in_progress) = in_progress.as_ref().filter(|_| is_switch) {
            in_progress.switch();
        }
        // actix-http reads a payload that has been dropped to its end, however long it is. So the response holds the
        // unread payload.
        let unread = (!is_read).then_some(self.source.payload);
        // A stop of the server does not wait for WebSockets as it waits for responses; it closes them in a step of its
        // own.
        let sending = (!is_switch).then_some(sending);
        answer.map_body(|_, body| HeldBody {
            body,
            _unread: unread,
            _in_progress: in_progress,
            _permit: permit,
            _sending: sending,
        })
    }

    /// Returns true if the whole body has been read. Discards a small rest first.
    async fn is_drained(&self) -> bool {
        let is_small = self.announced.is_some_and(|length| length <= MAX_DRAINED_BYTES);
        if !self.source.is_over.get() && is_small {
            let mut rest = self.source.clone();
            let _ = timeout(DRAIN_TIMEOUT, async { while let Some(Ok(_)) = rest.next().await {} }).await;
        }
        self.source.is_over.get()
    }
}

fn announced(http: &HttpRequest) -> Option<u64> {
    http.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body of a response, with everything that is released when the body ends.
pub(crate) struct HeldBody {
    body: Outgoing,
    _unread: Option<Rc<RefCell<Payload>>>,
    _in_progress: Option<InProgress>,
    _permit: Option<Permit>,
    _sending: Option<InFlight>,
}

impl HeldBody {
    /// Returns a body that holds nothing else.
    pub(super) fn of(body: Outgoing) -> Self {
        Self { body, _unread: None, _in_progress: None, _permit: None, _sending: None }
    }
}

impl MessageBody for HeldBody {
    type Error = <Outgoing as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(context)
    }
}
