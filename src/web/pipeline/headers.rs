//! The standard headers of every response, and gzip for larger bodies.

use actix_web::body::MessageBody;
use actix_web::http::Method;
use actix_web::http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, EXPIRES, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse};
use quarterdeck_actors::config::Config;

use crate::web::answer::JSON;
use crate::web::answer::pack::Packer;
use crate::web::request::accepts_gzip;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_VERSION_ID: HeaderName = HeaderName::from_static("x-version-id");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

pub(super) fn add_headers(answer: &mut HttpResponse, method: &Method, id: &str, version: HeaderValue, config: &Config) {
    let headers = answer.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers.insert(X_VERSION_ID, version);
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, JSON);
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        headers.insert(EXPIRES, HeaderValue::from_static("0"));
    }
    headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static(""));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let service = &config.view.service;
    if service.tls_strict_transport
        && let Ok(value) = HeaderValue::from_str(&format!("max-age={}", service.tls_strict_transport_max_age))
    {
        headers.insert(STRICT_TRANSPORT_SECURITY, value);
    }
    if service.webserver_mode == "gzip" {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// Compresses the body with gzip, if it is large enough and the client accepts gzip.
pub(super) async fn compress(
    answer: HttpResponse,
    http: &HttpRequest,
    config: &Config,
    packer: &Packer,
) -> HttpResponse {
    let is_encoded = answer.headers().contains_key(CONTENT_ENCODING);
    if is_encoded || !accepts_gzip(http, config) {
        return answer;
    }
    let (mut answer, body) = answer.into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        Err(body) => return answer.set_body(body),
    };
    match packer.pack(&body).await {
        Some(smaller) => {
            answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            answer.set_body(smaller).map_into_boxed_body()
        }
        None => answer.set_body(body).map_into_boxed_body(),
    }
}
