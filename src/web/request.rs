//! What a handler may ask of its request; made once by the pipeline.

mod body;
pub(crate) mod budget;
mod claim;
mod encoding;
mod nul;
mod query;
mod reading;

use std::cell::RefCell;
use std::fmt;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, ResponseError};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::is_id;

use crate::base::paging::Paging;
use crate::domain::audit::{Audit, Notes};
use crate::domain::caller::Caller;
use crate::domain::session::Session;
use crate::web::address::{address_of, group_of};
use crate::web::line;
pub(crate) use body::Body;
pub(crate) use encoding::accepts_gzip;
use query::Pairs;
pub(crate) use reading::BodyLimits;

const DEFAULT_PER_PAGE: usize = 60;
const MOST_PER_PAGE: usize = 200;

/// What the pipeline found out about a request.
pub(crate) struct Context {
    pub(crate) config: Arc<Config>,
    pub(crate) session: Option<Session>,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) is_secure: bool,
    pub(crate) body: BodyLimits,
    /// What the audit trail is to know.
    pub(crate) notes: Rc<RefCell<Notes>>,
}

/// A request on its way through a handler.
pub(crate) struct Request {
    pub(crate) context: Rc<Context>,
    http: HttpRequest,
}

impl Request {
    /// The configuration in force when the request came in.
    pub(crate) fn config(&self) -> &Config {
        &self.context.config
    }

    /// The client's address, as far as trusted proxies tell.
    pub(crate) fn address(&self) -> String {
        address_of(&self.http)
    }

    /// The caller, as far as costly work is counted: its user, or its address where it has no session.
    pub(crate) fn caller(&self) -> Caller {
        match self.context.session.as_ref().map(Session::user_id).filter(|id| !id.is_empty()) {
            Some(id) => Caller::user(id, self.hang_up()),
            None => self.visitor(),
        }
    }

    /// The caller as one without a session, by its address.
    pub(crate) fn visitor(&self) -> Caller {
        Caller::at(group_of(&self.http), self.hang_up())
    }

    /// Ends when the client has hung up.
    fn hang_up(&self) -> impl Future<Output = ()> + use<> {
        let http = self.http.clone();
        async move { line::hung_up(&http).await }
    }

    /// Does `work`, but only for as long as the client waits for it.
    pub(crate) async fn while_awaited<T>(&self, work: impl Future<Output = T>) -> Result<T, AppError> {
        tokio::select! {
            done = work => Ok(done),
            () = line::hung_up(&self.http) => Err(AppError::new("app.request.abandoned.app_error")),
        }
    }

    /// A part of the path, decoded; empty when the route has none of that name.
    pub(crate) fn path(&self, name: &str) -> &str {
        let found = self.context.params.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// A part of the path that must be an id.
    pub(crate) fn id(&self, name: &'static str) -> Result<&str, AppError> {
        Some(self.path(name)).filter(|id| is_id(id)).ok_or_else(|| AppError::invalid_url(name))
    }

    /// The user in the path; `me` is the caller.
    pub(crate) fn user_id(&self, session: &Session) -> Result<String, AppError> {
        let named = self.path("user_id");
        let id = if named == "me" { session.user_id() } else { named };
        Some(id).filter(|id| is_id(id)).map(str::to_owned).ok_or_else(|| AppError::invalid_url("user_id"))
    }

    /// A query parameter; an empty one counts as absent.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        query_of(&self.http, name).filter(|value| !value.is_empty())
    }

    /// Every value of a query parameter that may be given more than once.
    pub(crate) fn queries(&self, name: &str) -> Vec<String> {
        Pairs::of(&self.http).values(name).map(str::to_owned).collect()
    }

    /// Whether there is a query at all.
    pub(crate) fn has_queries(&self) -> bool {
        !self.http.query_string().is_empty()
    }

    /// Whether a query parameter is there, with or without a value.
    pub(crate) fn has_query(&self, name: &str) -> bool {
        Pairs::of(&self.http).values(name).next().is_some()
    }

    /// Whether a query parameter is exactly `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.query(name).as_deref() == Some("true")
    }

    /// Page and page size; what is no number, or negative, counts as absent.
    pub(crate) fn paging(&self) -> Paging {
        let number = |name| self.query(name).and_then(|text| text.parse::<usize>().ok());
        Paging {
            page: number("page").unwrap_or(0),
            per_page: number("per_page").unwrap_or(DEFAULT_PER_PAGE).min(MOST_PER_PAGE),
        }
    }

    /// Whether a script of a page of ours sent the request.
    pub(crate) fn is_from_script(&self) -> bool {
        self.header("X-Requested-With") == Some("XMLHttpRequest")
    }

    /// Whether a query parameter is on, in any of the forms that Go reads as true.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        matches!(self.query(name).as_deref(), Some("1" | "t" | "T" | "TRUE" | "true" | "True"))
    }

    /// Whether the client takes gzip, and the settings let it have it.
    pub(crate) fn accepts_gzip(&self) -> bool {
        accepts_gzip(&self.http, self.config())
    }

    /// A header, if it is there and text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header_of(&self.http, name)
    }

    /// The cookie of that name.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.http.cookie(name).map(|cookie| cookie.value().to_owned())
    }
}

/// A query parameter as it stands, decoded.
pub(crate) fn query_of(http: &HttpRequest, name: &str) -> Option<String> {
    Pairs::of(http).values(name).next().map(str::to_owned)
}

/// A header, if it is there and text.
pub(crate) fn header_of<'a>(http: &'a HttpRequest, name: &str) -> Option<&'a str> {
    http.headers().get(name).and_then(|value| value.to_str().ok())
}

impl FromRequest for Request {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(http: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(context_of(http).map(|context| Self { context, http: http.clone() }))
    }
}

impl FromRequest for Session {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(http: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = context_of(http).and_then(|context| {
            let session = context.session.clone();
            session.ok_or_else(|| AppError::new("api.context.session_expired.app_error").into())
        });
        ready(session)
    }
}

impl FromRequest for Audit {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(http: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(context_of(http).map(|context| Self::of(context.notes.clone())))
    }
}

/// What the pipeline found out about this request.
pub(crate) fn context_of(http: &HttpRequest) -> Result<Rc<Context>, Refused> {
    let context = http.extensions().get::<Rc<Context>>().cloned();
    context.ok_or_else(|| AppError::new("app.request.no_context.app_error").into())
}

/// An `AppError` on its way through actix, which wants errors of its own kind.
pub(crate) struct Refused(RefCell<Option<Box<AppError>>>);

impl From<AppError> for Refused {
    fn from(error: AppError) -> Self {
        Self(RefCell::new(Some(Box::new(error))))
    }
}

impl Refused {
    /// Takes the error out of actix's wrapping.
    pub(crate) fn unwrap(error: &actix_web::Error) -> AppError {
        let carried = error.as_error::<Self>().and_then(|refused| refused.0.borrow_mut().take());
        carried.map_or_else(|| AppError::new("api.payload.parse.error").because(error.to_string()), |carried| *carried)
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.borrow(), formatter)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

impl ResponseError for Refused {}
