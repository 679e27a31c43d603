//! One row of the route table, and the ways to write it.

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use quarterdeck_actors::error::AppError;

use crate::web::answer::Reply;
use crate::web::request::Refused;

/// What the refusal of a reading route is called that has no name of its own.
pub(super) const READ: &str = "read";

/// Where a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Network,
    LocalSocket,
}

/// Whether a route needs to know who is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Anybody; a session only adds to the answer.
    Open,
    /// Anybody, and nobody asks who: it answers also while sessions cannot be read.
    Anonymous,
    /// Somebody who is logged in.
    Session,
}

/// One row of the table.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing about the route, and a row names only what is so"
)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) class: Class,
    /// Served on the local socket.
    pub(crate) is_on_socket: bool,
    /// Served on the local socket and nowhere else.
    pub(crate) is_local: bool,
    /// Needs no proof that a page of ours sent the request.
    pub(crate) trusts_requester: bool,
    /// Takes bodies as large as a file.
    pub(crate) takes_files: bool,
    /// Refused while the server is busy.
    pub(crate) can_wait: bool,
    /// What the audit trail calls it.
    pub(crate) event: &'static str,
    /// Changes something, or gives something away: each request is recorded, not only those that are refused.
    pub(crate) is_change: bool,
    /// Ends sessions: served also where the audit trail has no room for its record.
    pub(crate) ends_sessions: bool,
    /// Asked all the time by machines, with no effect: logged for whoever looks for it, at the level TRACE.
    pub(crate) is_probe: bool,
    handler: BoxedHandler,
}

type BoxedHandler = Box<dyn Fn(HttpRequest, Payload) -> Answered + Send + Sync>;
type Answered = LocalBoxFuture<'static, Result<HttpResponse, AppError>>;

impl Route {
    /// Path and method, as the metrics name them.
    pub(crate) fn labels(&self) -> (&'static str, &str) {
        (self.path, self.method.as_str())
    }

    /// Runs the handler.
    pub(crate) fn call(&self, http: HttpRequest, payload: Payload) -> Answered {
        (self.handler)(http, payload)
    }

    fn new<F, Args>(method: Method, path: &'static str, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        F::Output: Reply,
        Args: FromRequest + 'static,
    {
        Self {
            path,
            class: Class::Session,
            is_on_socket: false,
            is_local: false,
            trusts_requester: false,
            takes_files: false,
            can_wait: false,
            is_probe: false,
            ends_sessions: false,
            is_change: method != Method::GET,
            event: READ,
            method,
            handler: Box::new(move |http, payload| call(handler.clone(), http, payload).boxed_local()),
        }
    }

    pub(super) fn open(self) -> Self {
        Self { class: Class::Open, ..self }
    }

    pub(super) fn anonymous(self) -> Self {
        Self { class: Class::Anonymous, ..self }
    }

    pub(super) fn on_socket(self) -> Self {
        Self { is_on_socket: true, ..self }
    }

    pub(super) fn only_on_socket(self) -> Self {
        Self { is_on_socket: true, is_local: true, ..self }
    }

    pub(super) fn trusting(self) -> Self {
        Self { trusts_requester: true, ..self }
    }

    pub(super) fn taking_files(self) -> Self {
        Self { takes_files: true, ..self }
    }

    pub(super) fn waiting(self) -> Self {
        Self { can_wait: true, ..self }
    }

    /// Names the event for the audit trail.
    pub(super) fn audited(self, event: &'static str) -> Self {
        Self { event, ..self }
    }

    /// The same for a route that only reads, though its method is none for reading.
    pub(super) fn reading(self, event: &'static str) -> Self {
        Self { event, is_change: false, ..self }
    }

    /// Records each request although it only reads: what it gives is meant to leave the house.
    pub(super) fn always(self) -> Self {
        Self { is_change: true, ..self }
    }

    pub(super) fn ending_sessions(self) -> Self {
        Self { ends_sessions: true, ..self }
    }

    pub(super) fn probe(self) -> Self {
        Self { is_probe: true, ..self }
    }
}

async fn call<F, Args>(handler: F, http: HttpRequest, mut payload: Payload) -> Result<HttpResponse, AppError>
where
    F: Handler<Args>,
    F::Output: Reply,
    Args: FromRequest,
{
    let arguments = Args::from_request(&http, &mut payload).await;
    let arguments = arguments.map_err(|error| Refused::unwrap(&error.into()))?;
    handler.call(arguments).await.reply()
}

pub(super) fn get<F, Args>(path: &'static str, handler: F) -> Route
where
    F: Handler<Args> + Send + Sync,
    F::Output: Reply,
    Args: FromRequest + 'static,
{
    Route::new(Method::GET, path, handler)
}

pub(super) fn post<F, Args>(path: &'static str, handler: F) -> Route
where
    F: Handler<Args> + Send + Sync,
    F::Output: Reply,
    Args: FromRequest + 'static,
{
    Route::new(Method::POST, path, handler)
}

pub(super) fn put<F, Args>(path: &'static str, handler: F) -> Route
where
    F: Handler<Args> + Send + Sync,
    F::Output: Reply,
    Args: FromRequest + 'static,
{
    Route::new(Method::PUT, path, handler)
}

pub(super) fn delete<F, Args>(path: &'static str, handler: F) -> Route
where
    F: Handler<Args> + Send + Sync,
    F::Output: Reply,
    Args: FromRequest + 'static,
{
    Route::new(Method::DELETE, path, handler)
}
