//! A request's body on its way in, and what becomes of it when the answer goes out before it was read.
//!
//! A small announced body is thrown away first, and the connection goes on. Every other one ends the connection: the
//! answer says so, the body stays unread, and no byte of it is ever taken for another request.

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
use crate::web::line::UnderWay;

/// The largest announced body that is thrown away so that the connection can go on, in bytes.
const MAX_DRAINED_BYTES: u64 = 1 << 20;

/// How long that may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The body of a request.
pub(super) struct Incoming {
    source: Source,
    announced: Option<u64>,
}

/// The body itself: its handler reads it, and the pipeline asks afterwards whether it did.
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

    /// The length that the client announced, in bytes.
    pub(super) fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// The body, for the handler to read.
    pub(super) fn for_handler(&self) -> Payload {
        if self.source.is_over.get() {
            return Payload::None;
        }
        Payload::Stream { payload: Box::pin(self.source.clone()) }
    }

    /// Deals with what was not read, and gives the answer what lives as long as it.
    pub(super) async fn settle(
        self,
        mut answer: HttpResponse<Outgoing>,
        under_way: Option<UnderWay>,
        permit: Option<Permit>,
        sending: InFlight,
    ) -> HttpResponse<Lasting> {
        let is_switch = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        let is_read = is_switch || self.is_drained().await;
        if !is_read {
            answer.head_mut().set_connection_type(ConnectionType::Close);
            if let Some(under_way) = &under_way {
                under_way.refuse();
            }
        }
        if let Some(under_way) = under_way.as_ref().filter(|_| is_switch) {
            under_way.switch();
        }
        // The server reads on to the end of a body that nobody holds, however long it is.
        let unread = (!is_read).then_some(self.source.payload);
        // A stop ends sockets in a way of its own.
        let sending = (!is_switch).then_some(sending);
        answer.map_body(|_, body| Lasting {
            body,
            _unread: unread,
            _under_way: under_way,
            _permit: permit,
            _sending: sending,
        })
    }

    /// Returns true if all of the body was read, here at the latest.
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

/// The body of an answer, and what ends with it.
pub(crate) struct Lasting {
    body: Outgoing,
    _unread: Option<Rc<RefCell<Payload>>>,
    _under_way: Option<UnderWay>,
    _permit: Option<Permit>,
    _sending: Option<InFlight>,
}

impl Lasting {
    /// A body with which nothing else ends.
    pub(super) fn of(body: Outgoing) -> Self {
        Self { body, _unread: None, _under_way: None, _permit: None, _sending: None }
    }
}

impl MessageBody for Lasting {
    type Error = <Outgoing as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(context)
    }
}
