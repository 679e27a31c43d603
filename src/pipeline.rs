//! What every request passes, in the order of the contract; one function a step.

mod cors;
mod dress;
pub(crate) mod limit;
mod token;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::dev::Payload;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use futures_util::FutureExt;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::new_id;
use tracing::{debug, info};

use crate::cookies;
use crate::error;
use crate::request::{Context, decoded, header_of};
use crate::routes::{Class, Route, Router};
use crate::session::{Session, resolve};
use crate::state::AppState;
use token::{Place, Token};

/// All headers of a request together may be this long.
const MOST_HEADER_BYTES: usize = 64 * 1024;

/// A body may be this much longer than its limit says.
const BODY_SLACK: u64 = 512;

/// Where a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Network,
    LocalSocket,
}

/// Answers one request.
pub(crate) async fn serve(
    http: HttpRequest,
    payload: actix_web::web::Payload,
    app: Data<AppState>,
    router: Data<Router>,
    origin: Data<Origin>,
) -> HttpResponse {
    let started = Instant::now();
    let _in_flight = app.traffic.begin();
    let config = app.config.current();
    let arrival = Arrival { id: new_id(), http, config, origin: **origin };
    let route = router.find(arrival.http.method(), arrival.http.path(), arrival.origin);
    let mut answer = arrival.answer(payload.into_inner(), &app, &router).await;
    if app.traffic.is_draining() {
        answer.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    }
    let answer = dress::compress(answer, &arrival.http, &arrival.config);
    log(&arrival, route.map(|(route, _)| route), answer.status(), started);
    answer
}

/// A request as it came in.
struct Arrival {
    id: String,
    http: HttpRequest,
    config: Arc<Config>,
    origin: Origin,
}

impl Arrival {
    async fn answer(&self, payload: Payload, app: &Data<AppState>, router: &Router) -> HttpResponse {
        let address = client_address(&self.http, &self.config);
        let rate = match self.limit_rate(app, &address) {
            Ok(rate) => rate,
            Err(refusal) => return refusal,
        };
        let mut answer = match cors::preflight(&self.http, &self.config) {
            Some(answer) => answer,
            None => self.route(payload, app, router, address).await,
        };
        cors::allow(answer.headers_mut(), &self.http, &self.config);
        if let Some(rate) = rate {
            rate.show(answer.headers_mut());
        }
        answer
    }

    fn limit_rate(&self, app: &AppState, address: &str) -> Result<Option<limit::Rate>, HttpResponse> {
        match self.origin {
            Origin::LocalSocket => Ok(None),
            Origin::Network => app.limiter.admit(&self.http, address, &self.config),
        }
    }

    async fn route(&self, payload: Payload, app: &Data<AppState>, router: &Router, address: String) -> HttpResponse {
        let path = self.http.path();
        let Some((route, params)) = router.find(self.http.method(), path, self.origin) else {
            return error::not_found(path);
        };
        if let Err(refusal) = self.check_sizes() {
            return error::answer(&refusal, &self.id, &self.config);
        }
        let mut answer = match self.handle(payload, app, route, params, address).await {
            Ok(answer) => answer,
            Err(failure) => self.refuse(&failure, route),
        };
        dress::add_headers(&mut answer, self.http.method(), &self.id, app.version.current(), &self.config);
        answer
    }

    fn refuse(&self, failure: &AppError, route: &Route) -> HttpResponse {
        let mut answer = error::answer(failure, &self.id, &self.config);
        let ends_session = failure.id == "api.context.session_expired.app_error";
        let sent_cookie = self.http.cookie(token::COOKIE).is_some();
        if ends_session && sent_cookie && !route.is_probe {
            // A cookie that cannot be written would be one with a broken name, and the name is a constant.
            let _ = answer.add_cookie(&cookies::cleared(&self.config));
        }
        answer
    }

    fn check_sizes(&self) -> Result<(), AppError> {
        let target = self.http.uri().path_and_query().map_or(0, |target| target.as_str().len());
        if target > self.config.view.service.maximum_url_length {
            return Err(AppError::new("basic_security_check.url.too_long_error"));
        }
        let headers: usize = self.http.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if headers > MOST_HEADER_BYTES {
            return Err(AppError::new("api.context.request_headers_too_large.app_error"));
        }
        Ok(())
    }

    async fn handle(
        &self,
        payload: Payload,
        app: &Data<AppState>,
        route: &Route,
        params: Vec<(String, String)>,
        address: String,
    ) -> Result<HttpResponse, AppError> {
        let session = self.session(app, route).await?;
        let is_missing = route.class == Class::Session && session.is_none();
        if is_missing {
            return Err(AppError::new("api.context.session_expired.app_error"));
        }
        let limits = &self.config.view;
        let limit =
            if route.takes_files { limits.file.max_file_size } else { limits.service.maximum_payload_size_bytes };
        self.http.extensions_mut().insert(Rc::new(Context {
            id: self.id.clone(),
            config: self.config.clone(),
            session,
            params: params.into_iter().map(|(name, value)| (name, decoded(&value))).collect(),
            address,
            is_secure: is_secure(&self.http),
            body_limit: limit.saturating_add(BODY_SLACK),
        }));
        let handled = AssertUnwindSafe(route.call(self.http.clone(), payload)).catch_unwind().await;
        handled.unwrap_or_else(|_| Err(AppError::new("app.request.panic.app_error")))
    }

    /// Who is calling. A bad token is an error where a session is required, and nobody elsewhere.
    async fn session(&self, app: &AppState, route: &Route) -> Result<Option<Session>, AppError> {
        if self.origin == Origin::LocalSocket {
            return Ok(Some(Session::local(app)));
        }
        let Some(token) = Token::of(&self.http) else {
            return Ok(None);
        };
        let found = resolve(app, &self.config, &token.text).await;
        let found = found.map_err(|cause| AppError::new("api.context.invalid_token.error").because(cause))?;
        let Some(session) = found else {
            return Ok(None);
        };
        if token.place == Place::Query && !session.is_oauth() {
            return Err(AppError::new("api.context.token_provided.app_error"));
        }
        self.check_forgery(&session, &token, route)?;
        app.limiter.admit_user(&session, &self.http, &self.config)?;
        Ok(Some(session))
    }

    /// A cookie comes along on its own: what changes something must also prove that a page of ours sent it.
    fn check_forgery(&self, session: &Session, token: &Token, route: &Route) -> Result<(), AppError> {
        let is_at_risk = token.place == Place::Cookie && !matches!(*self.http.method(), Method::GET | Method::HEAD);
        if !is_at_risk || route.trusts_requester {
            return Ok(());
        }
        let expected = session.stored().map_or("", |stored| stored.prop("csrf"));
        let has_token = header_of(&self.http, "X-CSRF-Token").unwrap_or_default() == expected;
        let is_script = header_of(&self.http, "X-Requested-With") == Some("XMLHttpRequest");
        let is_strict = self.config.view.service.experimental_strict_csrf_enforcement;
        if has_token || (is_script && !is_strict) {
            return Ok(());
        }
        Err(AppError::new("api.context.session_expired.app_error").detailed("token=*** Appears to be a CSRF attempt"))
    }
}

/// The first address in a trusted header, or else the peer's.
fn client_address(http: &HttpRequest, config: &Config) -> String {
    let trusted = config.view.service.trusted_proxy_ip_header.iter();
    let named = trusted.filter_map(|name| header_of(http, name)).find_map(|value| {
        let first = value.split(',').next()?.trim();
        first.parse::<IpAddr>().ok()
    });
    let peer = || http.peer_addr().map(|peer| peer.ip());
    named.or_else(peer).map_or_else(String::new, |address| address.to_string())
}

fn is_secure(http: &HttpRequest) -> bool {
    http.app_config().secure() || header_of(http, "X-Forwarded-Proto") == Some("https")
}

fn log(arrival: &Arrival, route: Option<&Route>, status: StatusCode, started: Instant) {
    let method = arrival.http.method().as_str();
    let pattern = route.map_or("-", |route| route.path);
    let duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let status = status.as_u16();
    // Probes ask every few seconds for as long as the server lives: only who looks for them sees them.
    if route.is_some_and(|route| route.is_probe) {
        debug!(request.id = %arrival.id, http.method = method, http.route = pattern, http.status = status, duration_us, "request answered");
    } else {
        info!(request.id = %arrival.id, http.method = method, http.route = pattern, http.status = status, duration_us, "request answered");
    }
}
