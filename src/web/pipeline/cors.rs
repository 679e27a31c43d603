//! CORS headers for the origins that `AllowCorsFrom` admits. Without that setting no header is added.

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderName,
    HeaderValue, ORIGIN, VARY,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use quarterdeck_actors::config::Config;

use crate::web::origins::{Allowed, Page};
use crate::web::request::header_of;

const METHODS: &str = "POST, GET, OPTIONS, PUT, PATCH, DELETE";

/// The time for which a browser may cache the preflight response, in seconds.
const REMEMBER_S: &str = "86400";

/// The request headers, besides `Origin`, on which the preflight response depends.
const PREFLIGHT_VARY: &str = "Access-Control-Request-Method, Access-Control-Request-Headers";

/// The way in which a page of another site is admitted.
enum Admission<'a> {
    /// The origin is listed by name, so the browser may send credentials.
    Named(&'a str),
    /// `AllowCorsFrom` is `*`: every page is admitted, and the browser must not send credentials.
    Anybody,
}

/// Returns true if `AllowCorsFrom` admits pages of other sites.
pub(super) fn is_on(config: &Config) -> bool {
    Allowed::of(&config.view.service.allow_cors_from) != Allowed::Own
}

/// Returns the response to a CORS preflight request; `None` for any other request.
pub(super) fn preflight(http: &HttpRequest, config: &Config) -> Option<HttpResponse> {
    let is_question = *http.method() == Method::OPTIONS && http.headers().contains_key("Access-Control-Request-Method");
    if !is_question {
        return None;
    }
    let mut answer = HttpResponse::new(StatusCode::NO_CONTENT);
    let headers = answer.headers_mut();
    headers.append(VARY, HeaderValue::from_static(PREFLIGHT_VARY));
    if admission(http, config).is_some() {
        put(headers, ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        put(headers, ACCESS_CONTROL_MAX_AGE, REMEMBER_S);
        put(headers, ACCESS_CONTROL_ALLOW_HEADERS, header_of(http, "Access-Control-Request-Headers").unwrap_or("*"));
    }
    Some(answer)
}

/// Adds the CORS headers that let a page of an admitted origin read the response.
pub(super) fn allow(headers: &mut HeaderMap, http: &HttpRequest, config: &Config) {
    let service = &config.view.service;
    headers.append(VARY, HeaderValue::from_static("Origin"));
    match admission(http, config) {
        None => return,
        Some(Admission::Anybody) => put(headers, ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        Some(Admission::Named(origin)) => {
            put(headers, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            if service.cors_allow_credentials {
                put(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
            }
        }
    }
    if !service.cors_exposed_headers.is_empty() {
        let names: Vec<&str> = service.cors_exposed_headers.split_whitespace().collect();
        put(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &names.join(", "));
    }
}

/// Returns the origin exactly as the browser sent it, because the browser compares the response header with that text.
fn admission<'a>(http: &'a HttpRequest, config: &Config) -> Option<Admission<'a>> {
    let page = Page::of(http.headers());
    let allowed = Allowed::of(&config.view.service.allow_cors_from);
    match (&allowed, &page) {
        (Allowed::Any, Page::Known(_) | Page::Foreign) => Some(Admission::Anybody),
        (Allowed::Listed(_), Page::Known(origin)) if allowed.lists(origin) => {
            header_of(http, ORIGIN.as_str()).map(Admission::Named)
        }
        (Allowed::Own | Allowed::Any | Allowed::Listed(_), Page::None | Page::Known(_) | Page::Foreign) => None,
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
