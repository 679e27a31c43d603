//! What a handler may ask of its request; made once by the pipeline.

use std::cell::RefCell;
use std::fmt;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::{Bytes, Query};
use actix_web::{FromRequest, HttpMessage, HttpRequest, ResponseError};
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, StreamExt};
use percent_encoding::percent_decode_str;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::is_id;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::{Duration, timeout};

use crate::address::address_of;
use crate::audit::Notes;
use crate::line;
use crate::pipeline::dress;
use crate::session::Session;

const DEFAULT_PER_PAGE: usize = 60;
const MOST_PER_PAGE: usize = 200;

/// What the pipeline found out about a request.
pub(crate) struct Context {
    pub(crate) config: Arc<Config>,
    pub(crate) session: Option<Session>,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) is_secure: bool,
    pub(crate) body_limit: u64,
    /// What the audit trail is to know.
    pub(crate) notes: RefCell<Notes>,
}

/// A request on its way through a handler.
pub(crate) struct Request {
    pub(crate) context: Rc<Context>,
    http: HttpRequest,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paging {
    pub(crate) page: usize,
    pub(crate) per_page: usize,
}

impl Paging {
    pub(crate) fn offset(self) -> i64 {
        i64::try_from(self.page.saturating_mul(self.per_page)).unwrap_or(i64::MAX)
    }

    pub(crate) fn limit(self) -> i64 {
        i64::try_from(self.per_page).unwrap_or(i64::MAX)
    }
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
        pairs_of(&self.http).filter_map(|(known, value)| (known == name).then_some(value)).collect()
    }

    /// Whether there is a query at all.
    pub(crate) fn has_queries(&self) -> bool {
        !self.http.query_string().is_empty()
    }

    /// Whether a query parameter is there, with or without a value.
    pub(crate) fn has_query(&self, name: &str) -> bool {
        pairs_of(&self.http).any(|(known, _)| known == name)
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
        dress::accepts_gzip(&self.http, self.config())
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
    if http.query_string().is_empty() {
        return None;
    }
    pairs_of(http).find_map(|(known, value)| (known == name).then_some(value))
}

fn pairs_of(http: &HttpRequest) -> impl Iterator<Item = (String, String)> {
    let pairs = Query::<Vec<(String, String)>>::from_query(http.query_string());
    pairs.map(Query::into_inner).unwrap_or_default().into_iter()
}

/// A header, if it is there and text.
pub(crate) fn header_of<'a>(http: &'a HttpRequest, name: &str) -> Option<&'a str> {
    http.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Decodes a part of a path.
pub(crate) fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
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

/// What the pipeline found out about this request.
pub(crate) fn context_of(http: &HttpRequest) -> Result<Rc<Context>, Refused> {
    let context = http.extensions().get::<Rc<Context>>().cloned();
    context.ok_or_else(|| AppError::new("app.request.no_context.app_error").into())
}

/// A request's body, read within its limits of size and time; whether it could be read is the handler's question.
pub(crate) struct Body {
    read: Result<Bytes, AppError>,
}

impl Body {
    /// Reads a body of at most `limit` bytes.
    pub(crate) fn read(payload: Payload, limit: u64, context: &Context) -> impl Future<Output = Self> + use<> {
        let deadline = Duration::from_secs(context.config.view.service.read_timeout);
        async move {
            let late = |_| AppError::new("api.context.request_body_timeout.app_error");
            let read = timeout(deadline, read_all(payload, limit)).await;
            Self { read: read.map_err(late).and_then(|read| read) }
        }
    }

    /// The body as it came.
    pub(crate) fn bytes(self) -> Result<Bytes, AppError> {
        self.read
    }

    /// The body as an object; `name` is what a refusal calls it.
    pub(crate) fn object<T: DeserializeOwned>(self, name: &'static str) -> Result<T, AppError> {
        self.json(b'{', name)
    }

    /// The body as a list; `name` is what a refusal calls it.
    pub(crate) fn list<T: DeserializeOwned>(self, name: &'static str) -> Result<Vec<T>, AppError> {
        self.json(b'[', name)
    }

    /// The body as any JSON at all; `None` when it is empty, broken or `null`.
    pub(crate) fn anything(self) -> Result<Option<Value>, AppError> {
        Ok(serde_json::from_slice(&self.read?).ok().filter(|value: &Value| !value.is_null()))
    }

    // What it begins with is checked, because serde takes a list for a structure as well.
    fn json<T: DeserializeOwned>(self, first: u8, name: &'static str) -> Result<T, AppError> {
        let bytes = self.read?;
        let is_fitting = bytes.trim_ascii_start().first() == Some(&first) && !holds_nul(&bytes);
        if !is_fitting {
            return Err(AppError::invalid_body(name));
        }
        serde_json::from_slice(&bytes).map_err(|cause| AppError::invalid_body(name).because(place_of(&cause)))
    }

    /// The body as a map of strings, which never fails: what is broken or too large is empty, what is no string is "".
    pub(crate) fn strings(self) -> Strings {
        Strings(
            self.members()
                .into_iter()
                .map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned()))
                .collect(),
        )
    }

    /// The body as an object of anything, which never fails: what is broken or too large is empty.
    pub(crate) fn members(self) -> Map<String, Value> {
        let bytes = self.read.ok().filter(|bytes| !holds_nul(bytes));
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }
}

/// Whether a JSON text holds the character NUL, which no database column takes.
fn holds_nul(json: &[u8]) -> bool {
    const NUL: &[u8] = b"\\u0000";
    json.windows(NUL.len()).enumerate().any(|(at, window)| {
        let before = json.get(..at).unwrap_or_default();
        let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        window == NUL && backslashes % 2 == 0
    })
}

/// Where a body does not fit; serde's own text quotes the value, which may be a password.
fn place_of(cause: &serde_json::Error) -> String {
    let problem = if cause.is_data() { "a member of the wrong kind" } else { "no JSON" };
    format!("{problem} at line {} column {}", cause.line(), cause.column())
}

/// A lenient body: every member is text.
pub(crate) struct Strings(std::collections::HashMap<String, String>);

impl Strings {
    /// The member `name`; empty when it is not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The member `name`, which must not be empty.
    pub(crate) fn require(&self, name: &'static str) -> Result<&str, AppError> {
        Some(self.get(name)).filter(|text| !text.is_empty()).ok_or_else(|| AppError::invalid_body(name))
    }
}

impl FromRequest for Body {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let context = context_of(http);
        let payload = payload.take();
        async move {
            let context = context?;
            Ok(Self::read(payload, context.body_limit, &context).await)
        }
        .boxed_local()
    }
}

async fn read_all(mut payload: Payload, limit: u64) -> Result<Bytes, AppError> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|cause| AppError::new("api.payload.parse.error").because(cause.to_string()))?;
        let is_too_large = u64::try_from(body.len() + chunk.len()).is_ok_and(|size| size > limit);
        if is_too_large {
            return Err(AppError::new("api.context.request_body_too_large.app_error"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_found_where_it_is_escaped_and_not_where_its_name_is_spelled() {
        assert!(holds_nul(br#"{"a":"x\u0000"}"#));
        assert!(holds_nul(br#"{"a":"\\\u0000"}"#));
        assert!(!holds_nul(br#"{"a":"\\u0000"}"#));
    }
}
