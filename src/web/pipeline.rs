//! The steps that every request passes, in the order of the contract; one function for each step.

mod application;
mod arrival;
mod caller;
mod cors;
pub(crate) mod headers;
mod incoming;
pub(crate) mod limit;
mod redirect;
mod send;
mod token;
mod trail;

use std::cell::{Cell, OnceCell, RefCell};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::web::{self, Data};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use futures_util::FutureExt;
use quarterdeck_actors::cluster::Publications;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::task;
use tokio::sync::oneshot;
use tracing::{info, trace};

use crate::base::error_text::sent;
use crate::base::traffic::InFlight;
use crate::domain::accounts::{check_mfa, check_recent};
use crate::domain::audit::Notes;
use crate::domain::session::{Session, known_user};
use crate::telemetry::logging::REQUEST_TARGET;
use crate::web::address::ClientAddress;
use crate::web::answer::outgoing::Outgoing;
use crate::web::connections::Permit;
use crate::web::line::InProgress;
use crate::web::path::CleanPath;
use crate::web::request::{BodyLimits, Context, header_of};
use crate::web::routes::reauthentication::{Reauthentication, needed_by};
use crate::web::routes::route::{
    BodyLimit, Class, LogLevel, MAX_PICTURE_BYTES, OneTimeCodes, Origin, RateLimit, WhileBusy,
};
use crate::web::routes::router::{Found, Router, TESTED_PATH};
use crate::web::state::AppState;
use crate::web::web_application::OWN_PAGE;
use crate::web::{cookies, error, line, socket};
use arrival::Arrival;
use incoming::HeldBody;
pub(crate) use token::COOKIE;

/// The largest size of all request headers together, in bytes.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The number of bytes by which a body may exceed its configured limit.
const BODY_SLACK: u64 = 512;

/// The largest body of a request without a session, in bytes.
const MAX_BODY_BYTES_WITHOUT_SESSION: u64 = 8 * 1024;

/// Runs the pipeline for one request and returns the response.
pub(crate) async fn serve(
    http: HttpRequest,
    payload: web::Payload,
    app: Data<AppState>,
    router: Data<Router>,
    origin: Data<Origin>,
) -> HttpResponse<HeldBody> {
    // An earlier response announced that this connection closes. The client may have pipelined this request before it
    // read that response, so the request is refused and not executed.
    if line::is_closing(&http) {
        let answer = HttpResponse::BadRequest().force_close().finish();
        return answer.map_body(|_, body| HeldBody::of(Outgoing::chunks(body)));
    }
    let clean = CleanPath::of(http.path());
    let path = clean.as_ref().map_or(http.path(), |clean| &clean.text);
    let found = router.find(http.method(), path, **origin).or_else(|| {
        let tested = header_of(&http, TESTED_PATH).filter(|_| **origin == Origin::Network)?;
        router.find_tested(http.method(), path, tested)
    });
    let found = found.filter(|found| !found.route.path.starts_with(OWN_PAGE) || app.facts.web_application.is_some());
    let is_change = found.as_ref().is_some_and(|found| found.route.audit.is_always());
    let config = app.actors.config.current();
    let client = ClientAddress::of(&http, &config, app.facts.options.trusted_proxies.as_ref());
    http.extensions_mut().insert(client);
    // The connection and its client are busy from here on, also before the task below has its first turn.
    let counted = Counted {
        in_progress: line::begin(&http),
        _in_flight: app.limits.traffic.begin(),
        sending: app.limits.traffic.begin_sending(),
        permit: permit(client, &app),
        publications: is_change.then(|| app.actors.cluster.publications()),
    };
    let answering = answered(http, payload, app, (clean, found), (**origin, config), counted);
    if !is_change {
        return answering.await;
    }
    // If the client disconnects, this future is dropped. A change must not stop between two of its steps then, so it
    // runs in a task of its own.
    let (answer, outcome) = oneshot::channel();
    task::once("change", async move {
        let _ = answer.send(answering.await);
    });
    outcome.await.unwrap_or_else(|_| {
        let answer = HttpResponse::InternalServerError().force_close().finish();
        answer.map_body(|_, body| HeldBody::of(Outgoing::chunks(body)))
    })
}

/// The counts that include a request from its arrival on.
struct Counted {
    in_progress: Option<InProgress>,
    _in_flight: InFlight,
    sending: InFlight,
    permit: Result<Option<Permit>, AppError>,
    /// The messages of a change to other servers.
    publications: Option<Publications>,
}

/// Runs the pipeline for a request to the route `found`.
async fn answered(
    http: HttpRequest,
    payload: web::Payload,
    app: Data<AppState>,
    (clean, found): (Option<CleanPath>, Option<Found>),
    (origin, config): (Origin, Arc<Config>),
    counted: Counted,
) -> HttpResponse<HeldBody> {
    let started = Instant::now();
    let incoming = incoming::Incoming::new(&http, payload.into_inner());
    let (caller, context, is_user_counted) = (OnceCell::new(), OnceCell::new(), Cell::new(false));
    let announced = incoming.announced();
    let id = new_id();
    let arrival = Arrival { id, http, clean, config, origin, announced, caller, context, is_user_counted };
    let mut answer = match &counted.permit {
        Ok(_) => arrival.limit(incoming.for_handler(), &app, found.as_ref()).await,
        Err(failure) => arrival.refuse(failure, &app),
    };
    // A change that is acknowledged has told all nodes of its events, so that a crash of this one loses none. A refusal
    // acknowledges nothing.
    let is_acknowledged = answer.status().is_success() || answer.status().is_redirection();
    if let Some(publications) = counted.publications.filter(|_| is_acknowledged) {
        publications.settled().await;
    }
    let is_switch = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    // actix-http closes the connection after a request with `Connection: upgrade`, so the response announces it.
    let closes = app.limits.traffic.is_draining() || arrival.http.head().connection_type() == ConnectionType::Upgrade;
    if closes && !is_switch {
        answer.head_mut().set_connection_type(ConnectionType::Close);
    }
    // Mattermost writes header names in this form, and some scripts search for them in it.
    answer.head_mut().set_camel_case_headers(true);
    let answer = headers::compress(answer, &arrival.http, &arrival.config, &app.limits.sending.packer).await;
    let answer = arrival.send(answer, &app, found.as_ref());
    let took = started.elapsed();
    app.metrics.answered(found.as_ref().map(|found| found.route.labels()), answer.status(), took);
    arrival.log(found.as_ref(), answer.status(), took);
    incoming.settle(answer, counted.in_progress, counted.permit.ok().flatten(), counted.sending).await
}

/// Takes a permit for a request that came through a trusted proxy, counted for the client that the proxy names. Returns
/// `None` without a proxy, because then the connection itself is counted.
fn permit(client: ClientAddress, app: &AppState) -> Result<Option<Permit>, AppError> {
    let Some(address) = client.address.filter(|_| client.is_behind_proxy) else { return Ok(None) };
    let permit = app.limits.connections.admit_request(address);
    permit.map(Some).ok_or_else(|| AppError::new("api.context.rate_limited.app_error"))
}

impl Arrival {
    /// Applies the rate limit, if `RateLimitSettings` turns it on. Requests on the local socket are exempt, and so are
    /// routes for machines that watch the server.
    async fn limit(&self, payload: Payload, app: &AppState, found: Option<&Found>) -> HttpResponse {
        let is_exempt = found.is_some_and(|found| found.route.rate_limit == RateLimit::Exempt);
        let is_counted = self.config.view.rate_limit.enable && self.origin == Origin::Network && !is_exempt;
        if !is_counted {
            return self.answer_with_cors(payload, app, found).await;
        }
        let user = self.config.view.rate_limit.vary_by_user.then(|| self.known_user(app)).flatten();
        let rate = match &user {
            Some(user_id) => app.limits.limiter.count_user(user_id, &self.http, &self.config),
            None => app.limits.limiter.count_address(&self.http, &self.config),
        };
        self.is_user_counted.set(user.is_some());
        let mut answer = match rate.admit() {
            Ok(()) => self.answer_with_cors(payload, app, found).await,
            Err(failure) if user.is_some() => self.refuse(&failure, app),
            Err(_) => limit::refusal(),
        };
        rate.show(answer.headers_mut());
        answer
    }

    /// Returns the user of the request's session if the session is in the cache. A session that is not cached is
    /// counted for its user later, when `caller::session` has looked it up.
    fn known_user(&self, app: &AppState) -> Option<String> {
        let token = token::Token::of(&self.http)?;
        known_user(&app.accounts.sessions, &self.config, &token.text)
    }

    /// Answers CORS preflight requests and adds the CORS headers, if `AllowCorsFrom` is set.
    async fn answer_with_cors(&self, payload: Payload, app: &AppState, found: Option<&Found>) -> HttpResponse {
        if !cors::is_on(&self.config) {
            return self.route(payload, app, found).await;
        }
        let mut answer = match cors::preflight(&self.http, &self.config) {
            Some(answer) => answer,
            None => self.route(payload, app, found).await,
        };
        cors::allow(answer.headers_mut(), &self.http, &self.config);
        answer
    }

    async fn route(&self, payload: Payload, app: &AppState, found: Option<&Found>) -> HttpResponse {
        if let Some(redirect) = self.redirect(found, &app.facts.site_path) {
            return redirect;
        }
        let part = self.part(app, found);
        let is_served = part.is_some() || found.is_some();
        if let Some(Err(refusal)) = is_served.then(|| self.check_address()) {
            return error::answer(&refusal, &self.id, &self.config);
        }
        if let Some(mut answer) = self.show(app, part).await {
            self.add_headers(&mut answer, app);
            return answer;
        }
        let Some(found) = found else {
            return error::not_found(self.path());
        };
        let pending = trail::Pending::new(self, app, found);
        let mut answer = match self.handle(payload, app, &pending).await {
            Ok(switch) if switch.status() == StatusCode::SWITCHING_PROTOCOLS => return switch,
            Ok(answer) => {
                pending.close(answer.status(), "");
                answer
            }
            Err(failure) => {
                pending.close(error::status(&failure.id), sent(&failure.id));
                self.refuse(&failure, app)
            }
        };
        self.add_headers(&mut answer, app);
        answer
    }

    fn add_headers(&self, answer: &mut HttpResponse, app: &AppState) {
        let version = app.prepared.current(&app.actors.config).version.clone();
        headers::add_headers(answer, self.http.method(), &self.id, version, &self.config);
    }

    fn check_address(&self) -> Result<(), AppError> {
        let target = self.http.uri().path_and_query().map_or("", |target| target.as_str());
        if target.len() > self.config.view.service.maximum_url_length {
            return Err(AppError::new("basic_security_check.url.too_long_error"));
        }
        // No database column accepts the character NUL.
        if target.contains("%00") {
            return Err(AppError::invalid_url("character"));
        }
        Ok(())
    }

    fn check_headers_length(&self) -> Result<(), AppError> {
        let headers = self.http.headers().iter();
        let length: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
        let is_too_long = length > MAX_HEADER_BYTES;
        if is_too_long { Err(AppError::new("api.context.request_headers_too_large.app_error")) } else { Ok(()) }
    }

    async fn handle(
        &self,
        payload: Payload,
        app: &AppState,
        pending: &trail::Pending<'_>,
    ) -> Result<HttpResponse, AppError> {
        let found = pending.found();
        let route = found.route;
        self.check_headers_length()?;
        let session = caller::session(self, app, route).await?;
        let is_missing = route.class == Class::Session && session.is_none();
        if is_missing {
            return Err(AppError::new("api.context.session_expired.app_error"));
        }
        if let Some(session) = session.as_ref().filter(|session| needs_codes(found, session)) {
            check_mfa(&app.db, &app.actors.license, &self.config, session).await?;
        }
        if let Some(session) = session.as_ref().filter(|_| needed_by(route) == Reauthentication::Always) {
            check_recent(&app.accounts, session).await?;
        }
        let is_refused = route.while_busy == WhileBusy::Refused && app.actors.busy.until().is_some();
        if is_refused {
            return Err(AppError::new("api.context.server_busy.app_error"));
        }
        let limits = &self.config.view;
        let limit = match route.body_limit {
            BodyLimit::Ordinary => limits.service.maximum_payload_size_bytes,
            BodyLimit::Files => limits.file.max_file_size,
            BodyLimit::Pictures => limits.file.max_file_size.min(MAX_PICTURE_BYTES),
        };
        let body = self.body_limits(limit.saturating_add(BODY_SLACK), session.as_ref(), app);
        let context = Rc::new(Context {
            id: self.id.clone(),
            config: self.config.clone(),
            session,
            body,
            params: found.params.clone(),
            page_path: route.is_page.then(|| found.path(self.path()).to_owned()),
            is_secure: ClientAddress::determined(&self.http).is_secure,
            notes: Rc::new(RefCell::new(Notes::default())),
        });
        let context = self.context.get_or_init(|| context).clone();
        trail::reserve(app, route, &context).await?;
        self.http.extensions_mut().insert(context.clone());
        let work = AssertUnwindSafe((route.operation.handler)(self.http.clone(), payload)).catch_unwind();
        let handled = pending.run(&context, work).await;
        handled.unwrap_or_else(|_| Err(AppError::new("app.request.panic.app_error")))
    }

    fn body_limits(&self, bytes: u64, session: Option<&Session>, app: &AppState) -> BodyLimits {
        let is_strict = session.is_none() && bytes > MAX_BODY_BYTES_WITHOUT_SESSION;
        let bytes = if is_strict { MAX_BODY_BYTES_WITHOUT_SESSION } else { bytes };
        let user_id = session.map(|session| if session.is_local() { "local" } else { session.user_id() });
        let share = RefCell::new(app.limits.bodies.share(user_id.unwrap_or_default(), bytes));
        BodyLimits { bytes, is_strict, announced: self.announced, share }
    }

    fn refuse(&self, failure: &AppError, app: &AppState) -> HttpResponse {
        let mut answer = error::answer(failure, &self.id, &self.config);
        let ends_session = failure.id == "api.context.session_expired.app_error";
        if ends_session && cookies::of(&self.http, token::COOKIE).is_some() {
            // Adding a cookie fails only for an invalid name, and this name is a constant.
            let _ = answer.add_cookie(&cookies::cleared(&app.facts.site_path));
        }
        if matches!(failure.id.as_ref(), "app.request.no_room.app_error" | "api.context.rate_limited.app_error") {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if socket::is_refusal(failure) {
            answer.headers_mut().insert(SEC_WEBSOCKET_VERSION, socket::VERSION);
        }
        answer
    }

    fn log(&self, found: Option<&Found>, status: StatusCode, took: Duration) {
        let method = self.http.method().as_str();
        let pattern = found.map_or("-", |found| found.route.path);
        let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let status = status.as_u16();
        // Probes call every few seconds and every client calls at its start, so these requests are logged at level
        // `trace`.
        match found.map_or(LogLevel::Info, |found| found.route.log_level) {
            LogLevel::Trace => {
                trace!(target: REQUEST_TARGET, { request.id = %self.id, http.method = method, http.route = pattern, http.status = status, duration_us }, "request answered");
            }
            LogLevel::Info => {
                info!(target: REQUEST_TARGET, { request.id = %self.id, http.method = method, http.route = pattern, http.status = status, duration_us }, "request answered");
            }
        }
    }
}

/// Returns true if the caller must have one-time codes for this request, where settings and licence enforce them.
fn needs_codes(found: &Found, session: &Session) -> bool {
    let is_own = |(name, value): &(String, String)| name == "user_id" && (value == "me" || value == session.user_id());
    let sets_own_up = found.route.one_time_codes == OneTimeCodes::NotForOwn && found.params.iter().any(is_own);
    found.route.class == Class::Session && !sets_own_up
}
