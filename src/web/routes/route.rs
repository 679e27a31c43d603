//! One row of the route table, and the functions that make it.

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use quarterdeck_actors::error::AppError;

use crate::web::answer::Reply;
use crate::web::request::Refused;

/// The audit event of a refused request to a route that only reads and has no event of its own.
pub(super) const READ: &str = "read";

/// The listener on which a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Network,
    LocalSocket,
}

/// The session that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// No session is required. A session only adds to the response.
    Open,
    /// No session is required, and none is read. So the route answers even while sessions cannot be read.
    Anonymous,
    /// A session is required.
    Session,
}

/// One row of the route table.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing about the route, and a row names only what is so"
)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) class: Class,
    /// True if the route is served on the local socket.
    pub(crate) is_on_socket: bool,
    /// True if the route is served on the local socket only.
    pub(crate) is_local: bool,
    /// True if the route is exempt from the CSRF check.
    pub(crate) trusts_requester: bool,
    /// True if the route accepts bodies up to the size limit for files.
    pub(crate) takes_files: bool,
    /// True if the route is refused while the server is marked as busy.
    pub(crate) can_wait: bool,
    /// The name of the audit event.
    pub(crate) event: &'static str,
    /// True if the route changes something or hands out something sensitive. Then every request is recorded, not only a
    /// refused one.
    pub(crate) is_change: bool,
    /// True if the route ends sessions. It is served even if the audit trail has no space for its record.
    pub(crate) ends_sessions: bool,
    /// True if machines call the route frequently and without effect. Such requests are logged at level TRACE.
    pub(crate) is_probe: bool,
    handler: BoxedHandler,
}

type BoxedHandler = Box<dyn Fn(HttpRequest, Payload) -> Answered + Send + Sync>;
type Answered = LocalBoxFuture<'static, Result<HttpResponse, AppError>>;

impl Route {
    /// Returns path and method, as the labels of metrics.
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

    /// Sets the name of the audit event.
    pub(super) fn audited(self, event: &'static str) -> Self {
        Self { event, ..self }
    }

    /// Sets the audit event of a route that only reads although its method is not GET.
    pub(super) fn reading(self, event: &'static str) -> Self {
        Self { event, is_change: false, ..self }
    }

    /// Records every request of a route that only reads, because its response is meant to leave the site.
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
