//! Cross-origin requests, as far as `AllowCorsFrom` admits them. Without that setting nothing here happens.

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderName,
    HeaderValue, ORIGIN, VARY,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use quarterdeck_actors::config::Config;

use crate::request::header_of;

const METHODS: &str = "POST, GET, OPTIONS, PUT, PATCH, DELETE";

/// Seconds for which a browser may remember the answer.
const REMEMBER_S: &str = "86400";

/// The answer to a browser that asks before it sends; `None` when this is no such question.
pub(super) fn preflight(http: &HttpRequest, config: &Config) -> Option<HttpResponse> {
    let is_question = *http.method() == Method::OPTIONS && http.headers().contains_key("Access-Control-Request-Method");
    let is_on = !config.view.service.allow_cors_from.is_empty();
    if !is_question || !is_on {
        return None;
    }
    let mut answer = HttpResponse::new(StatusCode::NO_CONTENT);
    if admitted(http, config).is_some() {
        let headers = answer.headers_mut();
        put(headers, ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        put(headers, ACCESS_CONTROL_MAX_AGE, REMEMBER_S);
        put(headers, ACCESS_CONTROL_ALLOW_HEADERS, header_of(http, "Access-Control-Request-Headers").unwrap_or("*"));
    }
    Some(answer)
}

/// Tells the browser that the page of an admitted origin may read the answer.
pub(super) fn allow(headers: &mut HeaderMap, http: &HttpRequest, config: &Config) {
    let service = &config.view.service;
    if service.allow_cors_from.is_empty() {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = admitted(http, config) else {
        return;
    };
    put(headers, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if service.cors_allow_credentials {
        put(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    if !service.cors_exposed_headers.is_empty() {
        let names: Vec<&str> = service.cors_exposed_headers.split_whitespace().collect();
        put(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &names.join(", "));
    }
}

fn admitted<'a>(http: &'a HttpRequest, config: &Config) -> Option<&'a str> {
    let origin = header_of(http, ORIGIN.as_str())?;
    let mut admitted = config.view.service.allow_cors_from.split_whitespace();
    admitted.any(|known| known == "*" || known.eq_ignore_ascii_case(origin)).then_some(origin)
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
