//! The request as a handler reads it. The pipeline makes its [`Context`] once.

mod body;
pub(crate) mod budget;
mod claim;
mod encoding;
mod query;
mod reading;

use std::cell::RefCell;
use std::fmt;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpMessage, HttpRequest, ResponseError};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::is_id;

use crate::base::flag::flag;
use crate::base::paging::Paging;
use crate::domain::audit::{Audit, Notes};
use crate::domain::caller::Caller;
use crate::domain::session::Session;
use crate::web::address::{address_of, group_of};
use crate::web::entity_tag::Named;
use crate::web::path::FRONT_PATH;
use crate::web::{cookies, line};
pub(crate) use body::Body;
pub(crate) use encoding::accepts_gzip;
use query::Pairs;
pub(crate) use reading::BodyLimits;

const DEFAULT_PER_PAGE: usize = 60;
const MAX_PER_PAGE: usize = 200;

/// The facts that the pipeline has found out about a request.
pub(crate) struct Context {
    /// The id in the header `X-Request-Id` of the response.
    pub(crate) id: String,
    pub(crate) config: Arc<Config>,
    pub(crate) session: Option<Session>,
    pub(crate) params: Vec<(String, String)>,
    /// The path of a page, without the path of the site; `None` for other routes.
    pub(crate) page_path: Option<String>,
    pub(crate) is_secure: bool,
    pub(crate) body: BodyLimits,
    /// The notes for the audit record of the request.
    pub(crate) notes: Rc<RefCell<Notes>>,
}

/// A request with its context, as a handler receives it.
pub(crate) struct Request {
    pub(crate) context: Rc<Context>,
    http: HttpRequest,
}

impl Request {
    /// Returns the configuration that was in force when the request came in.
    pub(crate) fn config(&self) -> &Config {
        &self.context.config
    }

    /// Returns the configuration that was in force when the request came in, to be kept longer than the request.
    pub(crate) fn shared_config(&self) -> Arc<Config> {
        self.context.config.clone()
    }

    /// Returns the id in the header `X-Request-Id` of the response.
    pub(crate) fn request_id(&self) -> &str {
        &self.context.id
    }

    /// Returns true if the header `Accept` names the media type itself: `*/*` does not.
    pub(crate) fn names_media(&self, media: &str) -> bool {
        self.header("Accept").unwrap_or_default().split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media));
            let is_refused =
                parts.any(|part| matches!(part.strip_prefix("q="), Some(weight) if weight.parse::<f64>() == Ok(0.0)));
            is_named && !is_refused
        })
    }

    /// Returns the client's address, from the connection or from a trusted proxy.
    pub(crate) fn address(&self) -> String {
        address_of(&self.http)
    }

    /// Returns the caller for whom costly work is counted: the user of the session, or the client's address without a
    /// session.
    pub(crate) fn caller(&self) -> Caller {
        match self.context.session.as_ref().map(Session::user_id).filter(|id| !id.is_empty()) {
            Some(id) => Caller::user(id, self.hang_up()),
            None => self.visitor(),
        }
    }

    /// Returns the caller by its address, as if it had no session.
    pub(crate) fn visitor(&self) -> Caller {
        Caller::at(group_of(&self.http), self.hang_up())
    }

    /// Completes when the client has disconnected.
    pub(crate) fn hang_up(&self) -> impl Future<Output = ()> + use<> {
        let http = self.http.clone();
        async move { line::hung_up(&http).await }
    }

    /// Runs `work`, and drops it with an error if the client disconnects before it is done.
    pub(crate) async fn while_awaited<T>(&self, work: impl Future<Output = T>) -> Result<T, AppError> {
        tokio::select! {
            done = work => Ok(done),
            () = line::hung_up(&self.http) => Err(AppError::new("app.request.abandoned.app_error")),
        }
    }

    /// Returns a path parameter, decoded; empty if the route has no parameter of that name.
    pub(crate) fn path(&self, name: &str) -> &str {
        let found = self.context.params.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// Returns the path of a page, without the path of the site; `/` for other routes.
    pub(crate) fn page_path(&self) -> &str {
        self.context.page_path.as_deref().unwrap_or(FRONT_PATH)
    }

    /// Returns a path parameter that must be an id.
    pub(crate) fn id(&self, name: &'static str) -> Result<&str, AppError> {
        Some(self.path(name)).filter(|id| is_id(id)).ok_or_else(|| AppError::invalid_url(name))
    }

    /// Returns the id of the user in the path. `me` stands for the caller.
    pub(crate) fn user_id(&self, session: &Session) -> Result<String, AppError> {
        let named = self.path("user_id");
        let id = if named == "me" { session.user_id() } else { named };
        Some(id).filter(|id| is_id(id)).map(str::to_owned).ok_or_else(|| AppError::invalid_url("user_id"))
    }

    /// Returns a query parameter. An empty value is treated as absent.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        query_of(&self.http, name).filter(|value| !value.is_empty())
    }

    /// Returns all values of a query parameter that may be given more than once.
    pub(crate) fn queries(&self, name: &str) -> Vec<String> {
        Pairs::of(&self.http).values(name).map(str::to_owned).collect()
    }

    /// Returns true if the address has a query.
    pub(crate) fn has_queries(&self) -> bool {
        !self.http.query_string().is_empty()
    }

    /// Returns true if the query parameter is present, with or without a value.
    pub(crate) fn has_query(&self, name: &str) -> bool {
        Pairs::of(&self.http).values(name).next().is_some()
    }

    /// Returns the truth of a query parameter, in the forms that Mattermost reads; `None` if it has none of them.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.query(name).as_deref().and_then(flag)
    }

    /// Returns true if the query parameter is exactly `true`: Mattermost reads those of the ping so.
    pub(crate) fn is_literally_true(&self, name: &str) -> bool {
        self.query(name).is_some_and(|text| text == "true")
    }

    /// Returns true if the query parameter is a flag that is set.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.flag(name) == Some(true)
    }

    /// Returns the page and the page size. A value that is not a number, or is negative, is treated as absent.
    pub(crate) fn paging(&self) -> Paging {
        let number = |name| self.query(name).and_then(|text| text.parse::<usize>().ok());
        Paging {
            page: number("page").unwrap_or(0),
            per_page: number("per_page").unwrap_or(DEFAULT_PER_PAGE).min(MAX_PER_PAGE),
        }
    }

    /// Returns true if the header `X-Requested-With` says that a script of the web app sent the request.
    pub(crate) fn is_from_script(&self) -> bool {
        self.header("X-Requested-With") == Some("XMLHttpRequest")
    }

    /// Returns true if the client accepts gzip and the settings allow it.
    pub(crate) fn accepts_gzip(&self) -> bool {
        accepts_gzip(&self.http, self.config())
    }

    /// Returns the value of a header, if it is present and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header_of(&self.http, name)
    }

    /// Returns the entity tags in the header `name`; `None` if it is absent.
    pub(crate) fn entity_tags(&self, name: HeaderName) -> Option<Named<'_>> {
        Named::of(self.http.headers(), name)
    }

    /// Returns the value of the cookie `name`.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        cookies::of(&self.http, name)
    }
}

/// Returns the first value of a query parameter, decoded; it may be empty.
pub(crate) fn query_of(http: &HttpRequest, name: &str) -> Option<String> {
    Pairs::of(http).values(name).next().map(str::to_owned)
}

/// Returns the value of a header, if it is present and is text.
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

/// Returns the context that the pipeline has made for this request.
pub(crate) fn context_of(http: &HttpRequest) -> Result<Rc<Context>, Refused> {
    let context = http.extensions().get::<Rc<Context>>().cloned();
    context.ok_or_else(|| AppError::new("app.request.no_context.app_error").into())
}

/// An `AppError` in the form that actix-web requires for errors of extractors.
pub(crate) struct Refused(RefCell<Option<Box<AppError>>>);

impl From<AppError> for Refused {
    fn from(error: AppError) -> Self {
        Self(RefCell::new(Some(Box::new(error))))
    }
}

impl Refused {
    /// Returns the `AppError` inside an error of actix-web.
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
